"""What is sent: an event as an HTTP request to a webhook, or to an API for commit statuses. Pure.

A webhook gets the CloudEvent in structured mode, signed as www.standardwebhooks.com says: there are
libraries that check it in most languages. A commit status is GitHub's own, which others speak too:
docs.github.com/rest/commits/statuses.
"""

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from cijob_api.cloudevents import CloudEvent
from cijob_api.details import Details
from cijob_api.objects import CIJob
from cijob_api.reasons import Phase
from cijob_gateway.notifications.sinks import EventKind, Sink

CLOUD_EVENT = "application/cloudevents+json; charset=utf-8"
AGENT = "cijob"
DESCRIPTION_CHARACTERS = 140  # GitHub's limit
_FULL_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
# `..` would lead to another path of the API, with the sink's token.
_REPOSITORY = re.compile(r"(?!\.{1,2}/)[\w.-]+/(?!\.{1,2}$)[\w.-]+", re.ASCII)
STATES = {
    EventKind.QUEUED: "pending",
    EventKind.STARTED: "pending",
    EventKind.RETRYING: "pending",
    EventKind.SUCCEEDED: "success",
    EventKind.FAILED: "failure",
    EventKind.CANCELLED: "error",
}


@dataclass(frozen=True)
class Post:
    """A request."""

    url: str = field(repr=False)
    headers: dict[str, str] = field(repr=False)
    body: bytes


def webhook(event: CloudEvent, sink: Sink, moment: int) -> Post:
    """The request that brings an event to a webhook, sent at `moment`, in seconds since 1970."""
    body = json.dumps(event.as_json(), separators=(",", ":")).encode()
    headers = {
        "Content-Type": CLOUD_EVENT,
        "User-Agent": AGENT,
        "webhook-id": event.id,
        "webhook-timestamp": str(moment),
    }
    if key := sink.signing_key:
        headers["webhook-signature"] = signature(key, event.id, moment, body)
    return Post(sink.spec.url, headers, body)


def signature(key: bytes, identity: str, moment: int, body: bytes) -> str:
    """HMAC-SHA256 over id, time and body: a receiver refuses what is forged, changed or old."""
    signed = b"%b.%d.%b" % (identity.encode(), moment, body)
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


def with_details(event: CloudEvent, tail: Sequence[str]) -> CloudEvent:
    """A failure with the last lines of its log."""
    details = Details()
    for line in tail:
        details.add(line)
    return replace(event, data={**event.data, "details": details.lines})


def commit_status(event: CloudEvent, sink: Sink, job: CIJob) -> Post | None:
    """The request that sets the status of the job's commit; None while none is known."""
    commit, repository = commit_of(job), repository_of(job, sink)
    if not commit or not repository:
        return None
    kind, meta = EventKind(event.kind), job.metadata
    platform = kind == EventKind.FAILED and job.status.phase == Phase.ERROR
    body = {
        "state": "error" if platform else STATES[kind],
        "context": sink.spec.context or _context(job),
        "description": _description(kind, event)[:DESCRIPTION_CHARACTERS],
    }
    if target := sink.spec.target_url:
        filled = {"namespace": meta.namespace, "name": meta.name, "uid": meta.uid}
        for name, value in filled.items():
            target = target.replace(f"{{{name}}}", value)
        body["target_url"] = target
    headers = {
        "Content-Type": "application/json",
        "Accept": "application/vnd.github+json",
        "User-Agent": AGENT,
        "Authorization": f"Bearer {sink.key}",
    }
    url = f"{sink.spec.url.rstrip('/')}/repos/{repository}/statuses/{commit}"
    return Post(url, headers, json.dumps(body, separators=(",", ":")).encode())


def commit_of(job: CIJob) -> str | None:
    """The full commit that the job runs on, if it is known."""
    git = job.spec.source.git if job.spec.source else None
    results = job.status.results
    found = results.source.commit if results and results.source else None
    candidates = (git.commit if git else None, found)
    return next((one for one in candidates if one and _FULL_COMMIT.fullmatch(one)), None)


def repository_of(job: CIJob, sink: Sink) -> str | None:
    """`owner/name`: the sink's, or that of the job's git URL if it is on the sink's own host.

    On another host it would be another repository of the same name.
    """
    if sink.spec.repository:
        return sink.spec.repository if _REPOSITORY.fullmatch(sink.spec.repository) else None
    git = job.spec.source.git if job.spec.source else None
    if git is None:
        return None
    parts = urlsplit(git.url)
    api = urlsplit(sink.spec.url).hostname or ""
    steps = parts.path.strip("/").removesuffix(".git").split("/")
    if parts.hostname not in {api, api.removeprefix("api.")} or len(steps) < 2:
        return None
    repository = "/".join(steps[-2:])
    return repository if _REPOSITORY.fullmatch(repository) else None


def _context(job: CIJob) -> str:
    template = job.spec.template_ref
    return f"cijob/{template.name}" if template else "cijob"


def _description(kind: EventKind, event: CloudEvent) -> str:
    data = event.data
    code = f", exit code {data['exit_code']}" if data.get("exit_code") is not None else ""
    match kind:
        case EventKind.QUEUED:
            return "queued"
        case EventKind.STARTED:
            return f"attempt {data['attempt']} runs"
        case EventKind.RETRYING:
            return f"attempt {data['attempt']}: {data['reason']}{code}; tried again"
        case _:
            return f"{data['reason']}{code}"
