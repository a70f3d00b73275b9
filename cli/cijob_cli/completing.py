"""What TAB offers for a job: the names that the gateway has, newest first. Called by options.

A person has pressed a key and waits at a prompt: it is over soon, and whatever goes wrong, nothing
is offered and nothing is said, not by kubectl and login plugins either.
"""

import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

from click.shell_completion import CompletionItem

from cijob_cli.deadlines import deadline
from cijob_cli.jobs import view
from cijob_cli.reaching import reaching
from cijob_cli.settings import read_settings

# Enough for kubectl to forward a port, which takes most of a second.
SECONDS = 3
MOST = 50


def job_names(flags: Mapping[str, str | None], incomplete: str) -> list[CompletionItem]:
    """Jobs whose names begin so, or the only one that ends so; with their phases."""
    found: list[CompletionItem] = []
    with (
        suppress(Exception),  # at a prompt nobody wants to read of a bug
        _mute(),
        deadline(SECONDS),
        reaching(read_settings(flags)) as gateway,
    ):
        page = gateway.jobs([("match", incomplete), ("limit", str(MOST))])
        found = [CompletionItem(v.name, help=v.phase) for v in map(view, page.items)]
    begun = [item for item in found if item.value.startswith(incomplete)]
    return begun or (found if len(found) == 1 else [])


@contextmanager
def _mute() -> Iterator[None]:
    """No input and no errors for us and whatever we start."""
    sys.stderr.flush()
    kept = [(number, os.dup(number)) for number in (0, 2)]
    nowhere = os.open(os.devnull, os.O_RDWR)
    try:
        for number, _ in kept:
            os.dup2(nowhere, number)
        yield
    finally:
        sys.stderr.flush()
        for number, copy in kept:
            os.dup2(copy, number)
            os.close(copy)
        os.close(nowhere)
