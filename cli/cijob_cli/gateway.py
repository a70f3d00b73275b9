"""The gateway's API, a method for each thing that a command asks. Called by the commands."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from cijob_cli.connecting import Connection
from cijob_cli.errors import CIError, Rejected
from cijob_cli.events import Event
from cijob_cli.transport import Call, Transport

_EVENTS = {"Accept": "text/event-stream"}
_OUTCOME_SECONDS = 10.0
# A job as the API server has it; the parts that are shown are read by jobs.
Job = dict[str, Any]


@dataclass(frozen=True)
class Page:
    """Some jobs, newest first, and where the next page begins, if there is one."""

    items: list[Job]
    next: str | None


@dataclass(frozen=True)
class Text:
    """A log as it comes, and its digest if the gateway knows it (the header Repr-Digest)."""

    chunks: Iterator[bytes]
    digest: str


@dataclass(frozen=True)
class Submission:
    """What is posted, and the key that makes its retries the same submission."""

    body: Mapping[str, Any]
    key: str


class Gateway:
    """The gateway, for one namespace."""

    def __init__(self, connection: Connection, transport: Transport) -> None:
        self.connection = connection
        self.transport = transport

    @property
    def namespace(self) -> str:
        """The namespace that jobs are looked for in."""
        return self.connection.namespace()

    def version(self) -> Mapping[str, Any]:
        """What the gateway is; asks for no login."""
        return self._get("/v1/version")

    def whoami(self) -> Mapping[str, Any]:
        """Who the gateway takes the caller for."""
        return self._get("/v1/whoami")

    def templates(self) -> list[dict[str, Any]]:
        """The templates that jobs of this namespace may name."""
        return list(self._get(self._path("templates"))["items"])

    def job(self, name: str) -> Job:
        """One job. Raises NotFound."""
        return dict(self._get(self._path("jobs", name)))

    def outcome(self, name: str, failures: int) -> Mapping[str, Any]:
        """What a job came to, with so many failed tests; nothing if that cannot be had now."""
        query = (("failures", str(failures)),)
        call = Call("GET", self._path("jobs", name, "outcome"), query, seconds=_OUTCOME_SECONDS)
        try:
            with self.transport.open(call) as response:
                response.read()
                return dict(response.json())
        except (CIError, ValueError, TypeError):  # the verdict is known without it
            return {}

    def jobs(self, query: list[tuple[str, str]]) -> Page:
        """A page of jobs."""
        answer = self._get(self._path("jobs"), tuple(query))
        return Page(list(answer["items"]), answer.get("continue") or None)

    def queue(self, namespace: str = "") -> Mapping[str, Any]:
        """The pools, and who waits: all whom the caller may see, or those of a namespace."""
        only = (("namespace", namespace),) if namespace else ()
        return self._get("/v1/queue", (*only, ("limit", "10000")))

    def cancel(self, name: str) -> Job:
        """Stop a job for good."""
        return dict(self.transport.ask(Call("POST", self._path("jobs", name, "cancel"))).body)

    def check(self, submission: Submission) -> Job:
        """The job that would be; nothing is stored."""
        call = self._posting(self._path("jobs"), submission, (("dryRun", "true"),))
        return dict(self.transport.ask(call).body)

    def create(self, submission: Submission) -> Job:
        """Submit. Raises SourceMissing."""
        return dict(self.transport.ask(self._posting(self._path("jobs"), submission)).body)

    def create_and_follow(self, submission: Submission) -> AbstractContextManager[Iterator[Event]]:
        """Submit and watch in one request. Raises SourceMissing."""
        return self._followed(self._path("jobs"), submission)

    def retry(self, name: str, submission: Submission) -> Job:
        """Run the same again."""
        path = self._path("jobs", name, "retry")
        return dict(self.transport.ask(self._posting(path, submission)).body)

    def retry_and_follow(
        self, name: str, submission: Submission
    ) -> AbstractContextManager[Iterator[Event]]:
        """Run the same again and watch it, in one request."""
        return self._followed(self._path("jobs", name, "retry"), submission)

    def upload(self, sha256: str, size: int, chunks: Iterator[bytes]) -> None:
        """Store an archive of so many bytes; one try, as `chunks` goes through it once."""
        call = Call(
            "PUT",
            self._path("sources", sha256),
            headers={"Content-Type": "application/zip", "Content-Length": str(size)},
            content=lambda: chunks,
        )
        with self.transport.open(call) as response:
            response.read()

    def follow(
        self, name: str, query: list[tuple[str, str]], last_id: str | None
    ) -> AbstractContextManager[Iterator[Event]]:
        """Watch a job, from behind the line `last_id` if one is given."""
        headers = {**_EVENTS, "Last-Event-ID": last_id} if last_id else _EVENTS
        path = self._path("jobs", name, "logs")
        return self.transport.events(
            Call("GET", path, (*query, ("follow", "true")), headers=headers)
        )

    def events(
        self, name: str, query: list[tuple[str, str]], last_id: str | None
    ) -> AbstractContextManager[Iterator[Event]]:
        """What happens to a job, as CloudEvents, from behind the event `last_id` if given."""
        headers = {**_EVENTS, "Last-Event-ID": last_id} if last_id else _EVENTS
        path = self._path("jobs", name, "events")
        return self.transport.events(Call("GET", path, tuple(query), headers=headers))

    @contextmanager
    def log(self, name: str, query: list[tuple[str, str]]) -> Iterator[Text]:
        """The log as it is now, as plain text."""
        path = self._path("jobs", name, "logs")
        call = Call("GET", path, tuple(query), headers={"Accept": "text/plain"})
        with self.transport.open(call) as response:
            digest = response.headers.get("repr-digest", "")
            # As it comes: in chunks of a size, what there is when it breaks would be lost.
            yield Text(response.iter_bytes(), digest)

    def artifacts(self, name: str, attempt: int | None) -> dict[str, Any]:
        """What a job left behind, also of one that is gone. Raises NotFound."""
        query = (("attempt", str(attempt)),) if attempt else ()
        return dict(self._get(self._path("jobs", name, "artifacts"), query))

    @contextmanager
    def artifact(
        self, name: str, artifact: str, place: tuple[int, int, str]
    ) -> Iterator[Iterator[bytes]]:
        """An artifact's bytes: of that attempt, from that one on, if it still has that sha256."""
        attempt, start, sha256 = place
        headers = {"Accept": "*/*", "Accept-Encoding": "identity"}
        if start:
            headers |= {"Range": f"bytes={start}-", "If-Range": f'"{sha256}"'}
        path = self._path("jobs", name, "artifacts", artifact)
        with self.transport.open(
            Call("GET", path, (("attempt", str(attempt)),), headers=headers)
        ) as response:
            if start and response.status_code != 206:
                raise Rejected(f"the artifact {artifact!r} is not the one that was begun")
            yield response.iter_raw()  # as it comes: what is there when it breaks is kept

    def _get(self, path: str, query: tuple[tuple[str, str], ...] = ()) -> Mapping[str, Any]:
        return dict(self.transport.ask(Call("GET", path, query)).body)

    def _path(self, *steps: str) -> str:
        below = "/".join(quote(step, safe="") for step in (self.namespace, *steps))
        return f"/v1/namespaces/{below}"

    def _posting(
        self, path: str, submission: Submission, query: tuple[tuple[str, str], ...] = ()
    ) -> Call:
        headers = {"Idempotency-Key": submission.key}
        return Call("POST", path, query, headers=headers, body=dict(submission.body))

    def _followed(
        self, path: str, submission: Submission
    ) -> AbstractContextManager[Iterator[Event]]:
        call = self._posting(path, submission, (("follow", "true"),))
        headers = {**call.headers, **_EVENTS}
        return self.transport.events(
            Call("POST", path, call.query, headers=headers, body=call.body)
        )
