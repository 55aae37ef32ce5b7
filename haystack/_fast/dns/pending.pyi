from haystack._fast.dns.times import Times

class Pending:
    waiting: int
    times: Times
    def told(
        self, number: int, flags: int, body: bytes, ends: bytes, ages: bytes, counts: tuple[int, int, int], options: bytes, lifetime: int
    ) -> None: ...
