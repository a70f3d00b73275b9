"""A git server on the loopback: https with an authority of its own, `git http-backend` behind it.

It can want a token, lead elsewhere, hang or fail, and remembers the credentials it was shown.
`serve` is also the program of the server's Pod in cluster tests (`python gitserver.py FOLDER PORT`,
standard library only).
"""

import base64
import os
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

HOLD = "hold"  # while there is a file of that name, nothing is answered
AUTHOR = {
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.com",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.com",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    # Of the server's own machine: it may serve what another user made.
    "GIT_CONFIG_COUNT": "3",
    "GIT_CONFIG_KEY_0": "safe.directory",
    "GIT_CONFIG_VALUE_0": "*",
    "GIT_CONFIG_KEY_1": "init.defaultBranch",
    "GIT_CONFIG_VALUE_1": "main",
    "GIT_CONFIG_KEY_2": "uploadpack.allowFilter",
    "GIT_CONFIG_VALUE_2": "true",
}


def git(folder: Path, *words: str, stdin: bytes = b"") -> str:
    """Run git as a person who makes a repository."""
    done = subprocess.run(
        ["git", *words],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", **AUTHOR},
        input=stdin,
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode().strip()


def make_certificate(folder: Path, *names: str) -> tuple[Path, Path, Path]:
    """An authority and a server's certificate by it: the paths of authority, certificate, key."""
    ca, cert, key = folder / "ca.crt", folder / "tls.crt", folder / "tls.key"
    alternatives = ",".join(f"IP:{name}" if name[0].isdigit() else f"DNS:{name}" for name in names)
    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")
    new = ("openssl", "req", "-x509", *curve, "-nodes", "-days", "2")
    usage = ("-addext", "basicConstraints=critical,CA:TRUE")
    _run(*new, "-subj", "/CN=test authority", *usage, "-keyout", f"{ca}.key", "-out", str(ca))
    signed = ("-CA", str(ca), "-CAkey", f"{ca}.key", "-addext", f"subjectAltName={alternatives}")
    plain = ("-addext", "basicConstraints=CA:FALSE", "-keyout", str(key), "-out", str(cert))
    _run(*new, "-subj", "/CN=git server", *signed, *plain)
    return ca, cert, key


def _run(*words: str) -> None:
    done = subprocess.run(words, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()


@dataclass
class GitServer:
    """The server: what it serves, how it behaves, and what it saw."""

    root: Path  # of the repositories
    port: int = 0
    token: str = ""  # what it wants as a password; empty: nothing
    redirect: str = ""  # where it sends everybody: a URL that the path is added to
    status: int = 0  # what it answers to everything
    post_status: int = 0  # what it answers to all but the first question
    garbles: str = ""  # `cut`: packs end early; `broken`: they are damaged; `words`: no protocol
    failures: int = 0  # how often it says 503 first
    hangs: bool = False
    hangs_at: str = ""  # a part of the paths at which it hangs
    protocol: bool = True  # whether it knows version 2
    seen: list[tuple[str, str]] = field(default_factory=list)  # path, Authorization
    done: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        """Where it is."""
        return f"https://127.0.0.1:{self.port}"

    @property
    def credentials(self) -> set[str]:
        """All that it was shown, decoded."""
        shown = (value.partition(" ")[2] for _, value in self.seen if value)
        return {base64.b64decode(value).decode() for value in shown}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: "_Server"

    def do_GET(self) -> None:
        told = self.server.told
        login = self.headers.get("Authorization", "")
        told.seen.append((self.path, login))
        body = self._body()
        while (told.root / HOLD).exists():
            time.sleep(0.05)
        if told.failures > 0:
            told.failures -= 1
            self._answer(503, b"")
        elif told.redirect:
            self._answer(302, b"", Location=told.redirect + self.path)
        elif told.status or (told.post_status and self.command == "POST"):
            self._answer(told.status or told.post_status, b"")
        elif told.garbles == "words" and self.command == "POST":
            self._answer(200, b"zzzz", **{"Content-Type": "application/x-git-upload-pack-result"})
        elif told.token and not _knows(told.token, login):
            self._answer(401, b"", **{"WWW-Authenticate": 'Basic realm="git"'})
        elif told.hangs or (told.hangs_at and told.hangs_at in self.path):
            told.done.wait(60)
            self.close_connection = True
        else:
            self._backend(body)

    do_POST = do_GET  # noqa: N815  # the name that the standard library looks for

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _backend(self, body: bytes) -> None:
        path, _, query = self.path.partition("?")
        version = self.headers.get("Git-Protocol", "") if self.server.told.protocol else ""
        done = subprocess.run(
            ["git", "http-backend"],
            env={
                "PATH": os.environ["PATH"],
                **AUTHOR,
                "GIT_PROJECT_ROOT": str(self.server.told.root),
                "GIT_HTTP_EXPORT_ALL": "1",
                "PATH_INFO": path,
                "QUERY_STRING": query,
                "REQUEST_METHOD": self.command,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "CONTENT_LENGTH": str(len(body)),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                "GIT_PROTOCOL": version,
                "REMOTE_ADDR": "127.0.0.1",
            },
            input=body,
            capture_output=True,
        )
        head, _, content = done.stdout.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if line)
        status = int(fields.pop("Status", "200").split()[0])
        if b"PACK" in content:
            content = _garbled(content, self.server.told.garbles)
        self._answer(status, content, **fields)

    def _answer(self, status: int, content: bytes, **fields: str) -> None:
        self.send_response(status)
        for name, value in fields.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Nothing: a test looks at `seen`."""


def _garbled(content: bytes, how: str) -> bytes:
    """An answer with a pack, cut or damaged in it."""
    place = content.index(b"PACK") + 14
    if how == "cut":
        return content[:place]
    damaged = bytes([content[place] ^ 255]) if how == "broken" else content[place : place + 1]
    return content[:place] + damaged + content[place + 1 :]


def _knows(token: str, login: str) -> bool:
    try:
        return base64.b64decode(login.partition(" ")[2]).decode().partition(":")[2] == token
    except ValueError:
        return False


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], told: GitServer, context: ssl.SSLContext) -> None:
        super().__init__(address, _Handler)
        self.told = told
        self.context = context

    def finish_request(self, request: Any, client_address: Any) -> None:
        # Here, not in get_request: one client's handshake must not stop the others.
        with self.context.wrap_socket(request, server_side=True) as wrapped:
            _Handler(wrapped, client_address, self)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: clients that hang up are part of the tests."""


@contextmanager
def serving(told: GitServer, certificate: Path, key: Path) -> Iterator[GitServer]:
    """The server, from here to the end of the block."""
    with _Server(("127.0.0.1", told.port), told, _context(certificate, key)) as server:
        told.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield told
        finally:
            told.done.set()
            server.shutdown()
            thread.join()


def _context(certificate: Path, key: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


def serve(folder: Path, port: int, token: str) -> None:
    """Serve the repositories in a folder for ever, its certificate being in `tls` there."""
    told = GitServer(folder / "repositories", port, token)
    context = _context(folder / "tls" / "tls.crt", folder / "tls" / "tls.key")
    with _Server(("0.0.0.0", port), told, context) as server:  # noqa: S104  # for the cluster
        server.serve_forever()


if __name__ == "__main__":
    serve(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
