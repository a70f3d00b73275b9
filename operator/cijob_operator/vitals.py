"""What the checks of `/healthz` and `/readyz` look at.

Alive: the event loop turns and no watch is known to be dead. Ready: the first full list is in, so
that this process could take over at once; whether it leads makes no difference to that.
"""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass
class Vitals:
    """The state of this process; `main` fills it in as the process comes up."""

    listed: bool = False
    stuck: Callable[[], str | None] = lambda: None

    def not_alive(self) -> str | None:
        """Why this process must be started afresh, if so."""
        return self.stuck()

    def not_ready(self) -> str | None:
        """Why this process could not take over now, if so."""
        return None if self.listed else "the first full list is not in yet"
