"""Opens a stream of a job that is there already. Called by wait, logs and outcome."""

from collections.abc import Iterator
from contextlib import AbstractContextManager

from cijob_cli.events import Event
from cijob_cli.follow import Following, Opening
from cijob_cli.gateway import Gateway

# Where to begin; behind a line that came already they say nothing.
_BEGINNINGS = ("from", "tail", "since")


def watching(gateway: Gateway, query: list[tuple[str, str]]) -> Opening:
    """The log of the followed job, first as `query` says, then from behind its last line."""

    def opening(following: Following) -> AbstractContextManager[Iterator[Event]]:
        asked = [pair for pair in query if not following.last_id or pair[0] not in _BEGINNINGS]
        return gateway.follow(following.name or "", asked, following.last_id)

    return opening


def watching_events(gateway: Gateway, query: list[tuple[str, str]]) -> Opening:
    """The CloudEvents of the followed job, first as `query` says, then behind the last one."""

    def opening(following: Following) -> AbstractContextManager[Iterator[Event]]:
        asked = [] if following.last_id else query
        return gateway.events(following.name or "", asked, following.last_id)

    return opening
