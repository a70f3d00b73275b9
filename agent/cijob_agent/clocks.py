"""How long collecting results may take; made by `stages`, asked by everything in `collecting`.

The operator stops the Pod 60 s after the job's end, and a Pod that is told to stop has the job's
own grace and 15 s more. What is not done a little before that is said to be missing instead.
"""

import time

COLLECT_SECONDS = 50.0
# Of the 15 s: the last words to the gateway need their time, too.
STOPPED_SECONDS = 12.0
# Kept for telling the gateway what is missing.
LAST_WORDS_SECONDS = 2.0


class OutOfTime(Exception):
    """The time for collecting is over."""


class Clock:
    """The time that is left; it runs from the job's end."""

    def __init__(self) -> None:
        self._ended = 0.0
        self._told = 0.0

    def start(self) -> None:
        """The job has ended."""
        self._ended = time.monotonic()

    def stop_soon(self) -> None:
        """The Pod was told to stop; called by a signal handler."""
        self._told = self._told or time.monotonic()

    @property
    def left(self) -> float:
        """Seconds, the last words' included; never below 0."""
        ends = self._ended + COLLECT_SECONDS
        if self._told:
            ends = min(ends, max(self._ended, self._told) + STOPPED_SECONDS)
        return max(0.0, ends - time.monotonic())

    def tick(self) -> None:
        """Raise OutOfTime when only the time for the last words is left."""
        if self.left <= LAST_WORDS_SECONDS:
            raise OutOfTime("there was no time left")
