"""Being told to end: SIGTERM from the kubelet, SIGINT from a keyboard."""

import asyncio
import signal
from collections.abc import Callable


def when_told_to_end(end: Callable[[], object]) -> None:
    """Call `end` in the running loop for each such signal, and nothing that was called before.

    A container's first process has no default action for them: without this it would live on
    until it is killed.
    """
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end)
