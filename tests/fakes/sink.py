"""A Sink that remembers, and lets a test wait for what it should be told."""

import asyncio
from contextlib import asynccontextmanager, suppress


class FakeSink:
    def __init__(self):
        self.listings = []
        self.errors = []
        self.withdrawn = []
        self.outdated_listings = []
        self._news = asyncio.Event()

    def replace(self, source, listing):
        self.listings.append(listing)
        self._news.set()

    def failed(self, source, error):
        self.errors.append(error)
        self._news.set()

    def outdated(self, source, listing):
        self.outdated_listings.append(listing)
        self.replace(source, listing)

    def withdraw(self, source):
        self.withdrawn.append(source)
        self._news.set()

    @property
    def names(self):
        return {c.name for c in self.listings[-1].containers} if self.listings else None

    def container(self, name):
        return next((c for c in self.listings[-1].containers if c.name == name), None) if self.listings else None

    async def until(self, condition, timeout=10):  # noqa: ASYNC109 - a test states it where it waits
        """Wait until condition() holds; it is asked again at each piece of news."""
        async with asyncio.timeout(timeout):
            while not condition():
                self._news.clear()
                await self._news.wait()


@asynccontextmanager
async def running(provider, sink):
    """The provider publishing into sink, ended afterwards."""
    task = asyncio.create_task(provider.run(sink))
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
