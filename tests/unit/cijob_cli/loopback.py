"""A gateway on the loopback that keeps to the API in a few lines and does as a test scripts it.

It stores sources and jobs in memory. A test says what a stream does (`streams`), what is answered
instead (`refusals`), and reads what was asked (`seen`).
"""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

CREATED = "2026-01-01T12:00:00Z"


@dataclass(frozen=True)
class Asked:
    """A request as it came."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


def event(kind: str, data: Any, identity: str = "") -> bytes:
    """One event of a stream."""
    first = f"id: {identity}\n" if identity else ""
    return f"{first}event: {kind}\ndata: {json.dumps(data)}\n\n".encode()


def log(*lines: str, second: int = 0) -> bytes:
    """A batch of log lines with an id of that second."""
    return event("log", {"attempt": 1, "lines": list(lines)}, f"1.2026-01-01T12:00:{second:02}Z.0")


def status(phase: str, message: str = "", attempt: int = 1) -> bytes:
    data = {"phase": phase, "reason": phase, "message": message, "attempt": attempt}
    return event("status", data)


def end(
    phase: str = "Succeeded", *, reason: str = "", log_text: str | None = None, **more: Any
) -> bytes:
    """The end of a stream; with `log_text` it says what the whole log is."""
    data: dict[str, Any] = {
        "phase": phase,
        "reason": reason or phase,
        "message": "",
        "exitCode": None,
    }
    data |= {"lines": None, "bytes": None, "sha256": None, "complete": True}
    if log_text is not None:
        data["lines"] = log_text.count("\n")
        data["sha256"] = hashlib.sha256(log_text.encode("utf-8", "surrogateescape")).hexdigest()
    return event("end", data | more)


def problem(status_code: int, slug: str, detail: str, **more: Any) -> tuple[int, Any]:
    """An error as the gateway says it."""
    kind = f"https://cijob.dev/problems/{slug}"
    return status_code, {
        "type": kind,
        "title": slug,
        "status": status_code,
        "detail": detail,
    } | more


def job(name: str, phase: str = "Running", **more: Any) -> dict[str, Any]:
    """A job as the API server has it."""
    return {
        "apiVersion": "cijob.dev/v1alpha1",
        "kind": "CIJob",
        "metadata": {"name": name, "namespace": "team", "creationTimestamp": CREATED},
        "spec": {"templateRef": {"name": "test"}},
        "status": {"phase": phase, **more},
    }


HANG = b"hang"  # in a stream: stay silent until the test ends
Stream = list[bytes]


@dataclass
class Loopback:
    """The gateway, and what a test may script and read."""

    url: str = ""
    streams: list[Stream] = field(default_factory=list)  # one for each stream that is opened
    refusals: list[tuple[str, tuple[int, Any]]] = field(default_factory=list)  # "POST jobs", answer
    seen: list[Asked] = field(default_factory=list)
    jobs: dict[str, dict[str, Any]] = field(default_factory=dict)
    sources: dict[str, bytes] = field(default_factory=dict)
    log: bytes = b""
    digest: str = ""  # the Repr-Digest that comes with it
    outcomes: dict[str, dict[str, Any]] = field(default_factory=dict)
    queue: dict[str, Any] = field(default_factory=dict)
    gone: dict[str, dict[str, Any]] = field(default_factory=dict)  # jobs that only `all` lists
    token: str | None = "secret"
    limit: int = 200 * 1024 * 1024
    artifacts: dict[str, bytes] = field(default_factory=dict)  # of every job
    files: dict[str, str] = field(default_factory=dict)  # their names, if not the artifact's own
    missing: str = ""
    cuts: list[int] = field(default_factory=list)  # after so many bytes a download or log breaks
    done: threading.Event = field(default_factory=threading.Event)
    streaming: threading.Event = field(default_factory=threading.Event)

    def asked(self, method: str, ending: str) -> list[Asked]:
        """The requests so far of that method whose path ends so."""
        return [one for one in self.seen if one.method == method and one.path.endswith(ending)]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else each answer waits 40 ms for an acknowledgement
    server: "Server"

    def setup(self) -> None:
        super().setup()
        self.gateway = self.server.current

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass

    def do_GET(self) -> None:
        self._serve()

    do_POST = do_PUT = do_HEAD = do_DELETE = do_GET  # noqa: N815

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = Asked(self.command, parts.path, dict(parse_qsl(parts.query)), headers, body)
        self.gateway.seen.append(asked)
        for index, (where, answer) in enumerate(self.gateway.refusals):
            if f"{asked.method} {asked.path}".endswith(where.replace(" ", " /v1/namespaces/team/")):
                del self.gateway.refusals[index]
                return self._answer(*answer)
        wanted = self.gateway.token
        if (
            wanted
            and asked.path != "/v1/version"
            and headers.get("authorization") != f"Bearer {wanted}"
        ):
            return self._answer(*problem(401, "unauthenticated", "the token is not known"))
        self._route(asked)
        return None

    def _route(self, asked: Asked) -> None:
        gateway, steps = self.gateway, asked.path.split("/")[2:]
        if steps[0] == "version":
            auth = "kubernetes" if gateway.token else "none"
            self._answer(200, {"version": "0.1.0", "maxSourceBytes": gateway.limit, "auth": auth})
        elif steps[0] == "whoami":
            self._answer(200, {"user": "ada", "groups": []})
        elif steps[0] == "queue" and gateway.queue:
            self._answer(200, gateway.queue)
        elif steps[0] == "queue":  # one that is older
            self._answer(*problem(404, "not-found", "Not Found"))
        elif steps[2] == "templates":
            words = {"description": "Run pytest.", "image": "cijob/python:dev"}
            self._answer(200, {"items": [{"name": "test", "namespace": "cijob-system", **words}]})
        elif steps[2] == "sources":
            self._store(steps[3], asked.body)
        else:
            self._jobs(asked, steps[3:])

    def _store(self, sha256: str, body: bytes) -> None:
        if len(body) > self.gateway.limit:
            limit = self.gateway.limit
            return self._answer(*problem(413, "source-too-large", "too large", limitBytes=limit))
        if hashlib.sha256(body).hexdigest() != sha256:
            return self._answer(*problem(422, "digest-mismatch", "the digest does not fit"))
        self.gateway.sources[sha256] = body
        return self._answer(201, {"sha256": sha256, "sizeBytes": len(body)})

    def _jobs(self, asked: Asked, steps: list[str]) -> None:
        gateway = self.gateway
        if asked.method == "POST" and (not steps or steps[1:] == ["retry"]):
            return self._create(asked)
        if not steps:
            match = asked.query.get("match", "")
            there = gateway.jobs | (gateway.gone if asked.query.get("all") else {})
            items = [
                one
                for name, one in there.items()
                if match in (name[: len(match)], name[-len(match) :]) or not match
            ]
            return self._answer(
                200, {"items": items[: int(asked.query["limit"])], "continue": None}
            )
        if steps[0] not in gateway.jobs:
            return self._answer(*problem(404, "not-found", f"no job {steps[0]}"))
        if steps[1:] == ["cancel"]:
            gateway.jobs[steps[0]]["status"]["phase"] = "Cancelled"
        if steps[1:] == ["logs"]:
            return self._logs(asked)
        if steps[1:] == ["outcome"]:  # none: a gateway that is older than this
            found = gateway.outcomes.get(steps[0])
            return self._answer(*((200, found) if found else problem(404, "not-found", "no path")))
        if steps[1:] == ["artifacts"]:
            return self._answer(200, self._collected())
        if steps[1:2] == ["artifacts"]:
            return self._artifact(asked, self.gateway.artifacts[steps[2]])
        if steps[1:] == ["events"]:
            return self._stream(self._script())
        return self._answer(200, gateway.jobs[steps[0]])

    def _create(self, asked: Asked) -> None:
        body = asked.json()
        spec = body.get("spec", {})
        if asked.query.get("dryRun"):
            return self._answer(200, {"kind": "CIJob", "spec": spec})
        archive = spec.get("source", {}).get("archive")
        if archive and archive["sha256"] not in self.gateway.sources:
            return self._answer(*problem(409, "source-missing", "upload the source first"))
        made = job(body.get("name") or "test-01", "Queued")
        made["spec"] = spec or made["spec"]
        self.gateway.jobs[made["metadata"]["name"]] = made
        if asked.query.get("follow"):
            return self._stream([event("job", made), *self._script()])
        return self._answer(201, made)

    def _logs(self, asked: Asked) -> None:
        if asked.headers["accept"] == "text/event-stream":
            return self._stream(self._script())
        if self.gateway.cuts:
            return self._cut(self.gateway.log, self.gateway.cuts.pop(0))
        digest = {"Repr-Digest": self.gateway.digest} if self.gateway.digest else {}
        return self._answer(200, self.gateway.log, "text/plain", **digest)

    def _cut(self, body: bytes, size: int) -> None:
        """A chunked body that has no end."""
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"%x\r\n%b\r\n" % (size, body[:size]) if size else b"")
        self.close_connection = True

    def _collected(self) -> dict[str, Any]:
        gateway = self.gateway
        artifacts = [
            {
                "name": name,
                "file": gateway.files.get(name, name),
                "sizeBytes": len(body),
                "sha256": hashlib.sha256(body).hexdigest(),
            }
            for name, body in gateway.artifacts.items()
        ]
        state = "Partial" if gateway.missing else "Complete"
        said = {"attempt": 2, "state": state, "message": gateway.missing}
        return {**said, "artifacts": artifacts, "reports": []}

    def _artifact(self, asked: Asked, body: bytes) -> None:
        start = 0
        if ranged := asked.headers.get("range"):
            assert asked.headers["if-range"] == f'"{hashlib.sha256(body).hexdigest()}"'
            start = int(ranged.removeprefix("bytes=").removesuffix("-"))
        whole = body[start:]
        sent = whole[: self.gateway.cuts.pop(0)] if self.gateway.cuts else whole
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(whole)))
        self.end_headers()
        self.wfile.write(sent)
        self.close_connection = len(sent) < len(whole)

    def _script(self) -> Stream:
        return self.gateway.streams.pop(0) if self.gateway.streams else [end()]

    def _stream(self, events: Stream) -> None:
        """Send the events; at the end of the list the connection is cut."""
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        for one in events:
            if one == HANG:
                self.gateway.streaming.set()
                self.gateway.done.wait(20)
                return
            self.wfile.write(one)
            self.wfile.flush()

    def _answer(self, code: int, body: Any, kind: str = "application/json", **headers: str) -> None:
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)


class Server(ThreadingHTTPServer):
    """One for all tests; each has a gateway of its own behind it."""

    daemon_threads = True
    current = Loopback()

    def begin(self) -> Loopback:
        """A new gateway; requests that still hang at the one before stay there."""
        self.current = Loopback(url=f"http://127.0.0.1:{self.server_address[1]}")
        return self.current

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is part of the tests."""


@contextmanager
def serving() -> Iterator[Server]:
    """A server at a port of its own."""
    with Server(("127.0.0.1", 0), _Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()
