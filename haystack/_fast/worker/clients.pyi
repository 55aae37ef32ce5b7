from haystack._fast.worker.callers import Callers

class Clients:
    callers: Callers
    count: int
    hidden: int
    outside: int
    gateway: str | None
    def take_unintroduced(self) -> list[tuple[str, str]]: ...
