SIZE: int

class Rotation:
    def __init__(self, file: int = -1) -> None: ...
