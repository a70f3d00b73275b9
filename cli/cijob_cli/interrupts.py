"""Ctrl-C while following: the first leaves and the job goes on, a second cancels it.

Called by outcome. The caller stays a second between the two, so that there is time for a second.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from cijob_cli.errors import CIError
from cijob_cli.screen import Screen

_SECOND_CHANCE = 1.0


@contextmanager
def leaving(
    screen: Screen, name: Callable[[], str | None], cancel: Callable[[str], object]
) -> Iterator[None]:
    """Around a follow. After Ctrl-C it says how to come back, and raises KeyboardInterrupt."""
    try:
        yield
    except KeyboardInterrupt:
        job = name()
        if job is None:
            screen.note("interrupted; if the job was submitted already, `ci list` has it")
            raise
        _leave(screen, job, cancel)
        raise


def _leave(screen: Screen, job: str, cancel: Callable[[str], object]) -> None:
    try:
        screen.note(
            f"the job goes on. Come back: {screen.command('wait', job)}. "
            f"Cancel: Ctrl-C again now, or {screen.command('cancel', job)}"
        )
        time.sleep(_SECOND_CHANCE)
    except KeyboardInterrupt:
        try:
            cancel(job)
            screen.note(f"cancelled {job}")
        except CIError as error:
            screen.note(f"not cancelled: {error}")
