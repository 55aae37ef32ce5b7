class Clients:
    count: int
    hidden: int
    outside: int
    gateway: str | None
