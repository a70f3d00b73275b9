"""Opens the way to the gateway for a command, as early and as lightly as possible."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from cijob_cli.connecting import connecting
from cijob_cli.settings import Settings

if TYPE_CHECKING:
    from cijob_cli.gateway import Gateway


@contextmanager
def reaching(settings: Settings) -> "Iterator[Gateway]":
    """The gateway by these settings; requests may begin at once and wait until it is there."""
    with connecting(settings) as connection:
        # The HTTP library takes 0.1 s to import: beside kubectl, not before it.
        from cijob_cli.gateway import Gateway  # noqa: PLC0415
        from cijob_cli.transport import Transport  # noqa: PLC0415

        transport = Transport(connection)
        try:
            yield Gateway(connection, transport)
        finally:
            transport.close()
