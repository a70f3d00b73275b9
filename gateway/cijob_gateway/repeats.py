"""Jobs that are the same, and whether they ended differently: such a job is flaky. Pure.

Used by the route of a job's outcome, over the jobs that are there and the one that twins.py finds
among those that are gone. The same is: the source's bytes or commit, the template as it was, and
all that the job says of what it runs. A retry of failed tests is compared with the job that it
repeats, and with no other.
"""

import hashlib
import json
from collections.abc import Iterable
from typing import Any, NamedTuple

from cijob_api import names
from cijob_api.reasons import Phase

Json = dict[str, Any]
RUNS = ("image", "command", "script", "args", "workingDir", "env", "secretEnv", "resources")
FULL_COMMIT = 40  # letters; an abbreviated one names a commit only in its repository


def digest(body: Json) -> str | None:
    """What a job ran that has a verdict; None without one, or if its source has no digest."""
    spec, status = body["spec"], body.get("status") or {}
    source = _source(spec.get("source") or {}, status)
    if source is None or not _verdict(body) or _repeats(body):
        return None
    said = [spec.get("templateRef"), source, _template(body), *(spec.get(name) for name in RUNS)]
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


class Same(NamedTuple):
    """A job with a verdict that ran the same; of two the newer one is greater."""

    created: str
    name: str
    phase: str


def contradiction(body: Json, found: Iterable[Same | None]) -> Same | None:
    """The newest of the jobs before this one that ran the same, if that ended the other way."""
    newest = max(filter(None, found), default=None)
    return newest if newest and newest.phase != _verdict(body) else None


def same_before(body: Json, others: Iterable[Json]) -> Same | None:
    """The newest job before this one that ran the same."""
    if not _verdict(body):
        return None
    before = (other for other in others if _age(other) < _age(body) and _verdict(other))
    if repeated := _repeats(body):
        same = [
            other
            for other in before
            if other["metadata"]["name"] == repeated and _template(other) == _template(body)
        ]
    else:
        own = digest(body)
        reference = body["spec"].get("templateRef")
        # Most jobs of a namespace differ in what is cheap to compare.
        alike = (other for other in before if other["spec"].get("templateRef") == reference)
        same = [other for other in alike if own and digest(other) == own]
    return max((Same(*_age(other), _verdict(other) or "") for other in same), default=None)


def _verdict(body: Json) -> str | None:
    """What the command said; None while it runs, or if the platform or a person ended it."""
    phase: str | None = (body.get("status") or {}).get("phase")
    return phase if phase in {Phase.SUCCEEDED, Phase.FAILED} else None


def _repeats(body: Json) -> str:
    """The job whose failed tests are all that this one ran, if so."""
    notes = body["metadata"].get("annotations") or {}
    repeated: str = notes.get(names.ANNOTATION_RETRY_OF) or ""
    return repeated if names.ANNOTATION_RETRY_TESTS in notes else ""


def _source(source: Json, status: Json) -> Json | None:
    """The source by its content; of a branch, the commit that it was."""
    if archive := source.get("archive"):
        return {"sha256": archive["sha256"]}
    if git := source.get("git"):
        found = ((status.get("results") or {}).get("source") or {}).get("commit")
        commit = found or git.get("commit") or ""
        return {"url": git["url"], "commit": commit} if len(commit) >= FULL_COMMIT else None
    return None


def _template(body: Json) -> str | None:
    """Name and generation of the template that its last attempt was resolved with."""
    attempts = (body.get("status") or {}).get("attempts") or [{}]
    template: str | None = attempts[-1].get("template")
    return template


def _age(body: Json) -> tuple[str, str]:
    return (body["metadata"]["creationTimestamp"], body["metadata"]["name"])
