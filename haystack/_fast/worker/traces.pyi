from typing import Any

from haystack._fast.worker.spans import Spans

class Traces:
    spans: Spans
    def switch(self, on: bool, service: str | None = None) -> None: ...
    def take(self) -> tuple[list[tuple[Any, ...]], int]: ...
