from collections.abc import Container

class Askers:
    def told(self, name: bytes | None = None, clients: Container[bytes] | None = None) -> list[tuple[bytes, bytes, int, float, int]]: ...
