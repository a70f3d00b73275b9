"""A way to a gateway that is not reachable from here: `kubectl port-forward`, as a child process.

Called by connecting. The child ends with us, however we end, and is started anew on demand. What is
spoken there is the name of the Service's port, http or https: the chart says it so.
"""

import contextlib
import re
import subprocess
import threading
from collections import deque
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet

from cijob_cli.errors import NotAllowed, Unreachable
from cijob_cli.kubectl import Kubectl

_SECONDS = 20.0
_SERVICE = "cijob-gateway"
_OTHER = {"http": "https", "https": "http"}
_READY = re.compile(r"Forwarding from 127\.0\.0\.1:(\d+) ")
# The shell waits for the end of its input, which is our end even after SIGKILL, and then ends its
# process group: a port-forward left behind would stay for ever.
_WATCHED = '"$@" & exec >/dev/null 2>&1; read -r _; kill 0'


class _NoSuchPort(Unreachable):
    """The Service has no port of that name: it speaks the other of the two."""


class PortForward:
    """A port on the loopback that leads to the gateway's Service."""

    def __init__(self, kubectl: Kubectl, namespace: str) -> None:
        self._command = kubectl.command(
            "port-forward",
            f"--namespace={namespace}",
            "--address=127.0.0.1",
            f"service/{_SERVICE}",
        )
        self._namespace = namespace
        self._scheme = "http"
        self.certified: str | None = f"{_SERVICE}.{namespace}.svc"
        self._start()

    def url(self) -> str:
        """Where the gateway is, as soon as the way is open. Raises Unreachable, NotAllowed."""
        with contextlib.suppress(_NoSuchPort):
            return self._url()
        try:
            return self._url()
        except _NoSuchPort as error:
            raise Unreachable(
                f"the Service {_SERVICE} in namespace {self._namespace} has a port named neither "
                "http nor https: was it made by the chart?"
            ) from error

    def _url(self) -> str:
        if self._ended.is_set():
            self.reopen()
        try:
            return self._found.result(_SECONDS)
        except NotYet as error:
            raise Unreachable(
                f"kubectl port-forward to the gateway was not ready within {_SECONDS:.0f} s; "
                "see `ci doctor`"
            ) from error

    def reopen(self) -> None:
        """Start anew: the Pod at the other end is gone, or the child is."""
        self.close()
        self._start()

    def close(self) -> None:
        """End the child and all that it started."""
        with contextlib.suppress(OSError):
            self._child.stdin.close()  # type: ignore[union-attr]
        try:
            self._child.wait(2)
        except subprocess.TimeoutExpired:
            self._child.kill()
            self._child.wait()

    def _start(self) -> None:
        self._found: Future[str] = Future()
        self._ended = threading.Event()
        self._child = subprocess.Popen(
            ["sh", "-c", _WATCHED, "sh", *self._command, f":{self._scheme}"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,  # Ctrl-C is for us: the way is still needed to cancel
        )
        watch = threading.Thread(
            target=self._watch,
            args=(self._child, self._found, self._ended, self._scheme),
            daemon=True,
        )
        watch.start()

    def _watch(
        self,
        child: "subprocess.Popen[str]",
        found: "Future[str]",
        ended: threading.Event,
        scheme: str,
    ) -> None:
        """Read all that kubectl says: it would stop at a full pipe."""
        last: deque[str] = deque(maxlen=3)
        assert child.stdout is not None  # noqa: S101 - it is a pipe
        for line in child.stdout:
            last.append(line.strip())
            if not found.done() and (ready := _READY.search(line)):
                found.set_result(f"{scheme}://127.0.0.1:{ready[1]}")
        child.stdout.close()
        words = " ".join(last)
        if "named port" in words:
            self._scheme = _OTHER[scheme]
        ended.set()
        if not found.done():
            found.set_exception(self._why(words))

    def _why(self, words: str) -> Unreachable | NotAllowed:
        said = words.removeprefix("error: ") or "no words"
        if "NotFound" in words or "not found" in words:
            return Unreachable(
                f"no cijob gateway in namespace {self._namespace} ({said}); "
                "install the chart, or say where it is: --system-namespace or --gateway"
            )
        kind: type[NotAllowed | Unreachable] = NotAllowed if "orbidden" in words else Unreachable
        if "named port" in words:
            kind = _NoSuchPort
        return kind(f"kubectl port-forward to the gateway failed: {said}")
