"""The agent's last words: stage, reason and message in the container's termination message.

The kubelet reads the file when the container has ended, however it ended, so it is rewritten at
every stage: a killed agent leaves its last stage behind. 4096 bytes is the kubelet's limit.
https://kubernetes.io/docs/tasks/debug/debug-application/determine-reason-pod-failure/
"""

import json
import os
import sys
from collections.abc import Mapping

LIMIT = 4096
STAGES = ("fetch", "verify", "unpack", "ready", "collect", "done")


class Termination:
    """The file of last words, and the same for `kubectl logs` on stderr."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._longest = 0
        self.stage = STAGES[0]
        self.commit: str | None = None  # what was checked out, once it is known
        self.waited: float | None = None  # how many seconds the job waited for us, once it is known

    def enter(self, stage: str, message: str = "") -> None:
        """A stage begins, or goes on with something to say of it."""
        self.stage = stage
        self._write(None, message)

    def fail(self, reason: str | None, message: str) -> None:
        """The agent ends in this stage."""
        self._write(reason, message)

    def _write(self, reason: str | None, message: str) -> None:
        told = {"commit": self.commit, "waitedSeconds": self.waited}
        text = _document(self.stage, reason, message, told)
        # One write over the old words, padded to their length: truncating first would leave
        # nothing behind if the kill came just then.
        self._longest = max(self._longest, len(text))
        try:
            file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                os.write(file, text.ljust(self._longest))
            finally:
                os.close(file)
        except OSError as error:
            # The words on stderr still reach a person, and the exit code the operator.
            print(f"cijob agent: no termination message: {error}", file=sys.stderr)
        words = f"{self.stage}: {reason + ': ' if reason else ''}{message or '…'}"
        print(f"cijob agent: {words}", file=sys.stderr, flush=True)


def _document(stage: str, reason: str | None, message: str, told: Mapping[str, object]) -> bytes:
    """The JSON of the last words, within the kubelet's limit."""
    room = LIMIT
    while True:
        cut = message.encode(errors="replace")[:room].decode(errors="ignore")
        words = {"stage": stage, "reason": reason, "message": cut, **told}
        kept = {key: value for key, value in words.items() if value is not None}
        text = json.dumps(kept, ensure_ascii=False).encode()
        if len(text) <= LIMIT:
            return text
        room -= max(1, (len(text) - LIMIT) // 6)  # a control character takes six bytes in JSON
