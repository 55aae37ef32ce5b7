from typing import TypeAlias

from haystack._fast.endpoint.endpoint import Member

Tally: TypeAlias = tuple[tuple[int, ...], int, int, int, int, tuple[int, ...]]

class Traffic:
    def take_members(self, most: int = ...) -> list[tuple[Member, int, Tally | None]]: ...
    def take_services(self) -> list[tuple[str, Tally | None, tuple[int, ...], int, int, int, int]]: ...
    def take_loads(self) -> list[tuple[str, int, int]]: ...
