from haystack._fast.endpoint.endpoint import Member, Picker

PICKERS: dict[str, type[Picker]]

def make(balance: str, members: list[Member], weights: list[int], old: Picker | None = None) -> Picker: ...
