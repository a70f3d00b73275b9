"""The last lines of a log that a failure brings along, as `details`. Pure.

Used by the gateway, which streams them, and by the archiver, which sends them to sinks. A line may
have megabytes, so they are bounded in number and in length.
"""

from collections import deque

from cijob_api.trimming import shorten_tail

DETAILS = 100
"""Lines."""
DETAILS_CHARACTERS = 256 * 1024
"""Of all of them; a last line that is longer alone is cut in front, where an ellipsis stands."""


class Details:
    """The last of the lines that were added."""

    def __init__(self) -> None:
        self.full = False
        """There were more, or as many as are kept: no earlier line would change them."""
        self._lines: deque[str] = deque()
        self._size = 0

    @property
    def lines(self) -> list[str]:
        """What is kept, in the log's order, without newlines."""
        return list(self._lines)

    def add(self, line: str) -> None:
        """The next line."""
        line = shorten_tail(line.removesuffix("\n"), DETAILS_CHARACTERS)
        self._lines.append(line)
        self._size += len(line)
        while len(self._lines) > DETAILS or self._size > DETAILS_CHARACTERS:
            self._size -= len(self._lines.popleft())
            self.full = True
        self.full = self.full or len(self._lines) == DETAILS
