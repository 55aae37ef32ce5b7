from haystack._fast.cells import Member, Route

PICKERS: dict[str, int]

def choose(route: Route, tried: list[Member]) -> Member | None: ...
