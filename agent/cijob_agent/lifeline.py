"""Whether the job's command has begun and is gone, as its wrapper's FIFO tells; used by `stages`.

The wrapper holds the FIFO open from its begin, when it writes a line, until it is gone. The end of
file comes however it went, SIGKILL included.
"""

import os
import select


class Lifeline:
    """The FIFO, made and opened before the wrapper may go on: so no begin can be missed."""

    def __init__(self, control: str) -> None:
        self._begun = False  # remembered: what was read is there no more
        path = f"{control}/alive"
        os.mkfifo(path, 0o600)
        # Without waiting for a writer; and what a hostile job has put there is not followed.
        self._fifo = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)

    def begun(self, seconds: float = 0) -> bool:
        """Whether the wrapper has begun; waits for it so long."""
        self._begun = self._begun or self._said(seconds)
        return self._begun

    def await_end(self) -> None:
        """Return when the wrapper, having begun, is gone. The Pod's own deadline bounds it."""
        while not self._said(3600) or os.read(self._fifo, 4096):
            continue

    def _said(self, seconds: float) -> bool:
        """Whether there is something to read, be it the end."""
        poll = select.poll()  # of its own: a signal's handler asks, too, while another one waits
        poll.register(self._fifo, select.POLLIN)
        return bool(poll.poll(seconds * 1000))

    def close(self) -> None:
        """Let go of the FIFO."""
        os.close(self._fifo)
