"""A limit on the caller's patience. Called by wait; Unix only, main thread only."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from cijob_cli.errors import WaitTimedOut
from cijob_cli.units import format_duration


@contextmanager
def deadline(seconds: int | None) -> Iterator[None]:
    """Raises WaitTimedOut inside after so many seconds, whatever is being waited for."""
    if seconds is None:
        yield
        return

    def ring(_number: int, _frame: FrameType | None) -> None:
        raise WaitTimedOut(
            f"still not finished after {format_duration(seconds)}; the job goes on, wait again"
        )

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
