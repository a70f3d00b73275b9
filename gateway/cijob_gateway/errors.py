"""What a request can be answered with instead of success: RFC 9457 problem documents.

Problem                      `detail` is fact + number + next step, for the person who asked
├── BadRequest        400    the request cannot be read
├── Unauthenticated   401    no token, or one that the API server does not know
├── Forbidden         403    the administrator must grant a right
├── NotFound          404    not there, or not for this caller
├── SlowBody          408    the body did not come in time
├── SlowUpload        408    the body stopped coming
├── NameTaken         409    another job has that name
├── JobFinished       409    too late for that
├── SourceMissing     409    upload the source, then ask again
├── SourceGone        410    it was there once
├── SourceTooLarge    413    over the limit; nothing was stored
├── ResultTooLarge    413    a result of a job is over the limit; nothing was stored
├── DigestMismatch    422    the bytes are not those that were named; nothing was stored
├── IdempotencyMismatch 422  the same key came with another request
├── Invalid           422    the API server refused the job; its words
└── Down              503    S3 or the API server is away: try again
    └── Restarting    503    this gateway ends: ask again, another one answers

`problem_of` is the one table from what the API server answers to these.
"""

from typing import ClassVar

from pydantic import BaseModel, Field

from cijob_kube import errors as kube

TYPES = "https://cijob.dev/problems/"
RETRY_SECONDS = 2


class ProblemDocument(BaseModel):
    """An RFC 9457 problem, as it is described in OpenAPI; some have fields of their own besides."""

    type: str = Field(description="Which problem: a URL that ends with its name.")
    title: str
    status: int
    detail: str = Field(description="What is wrong and what to do, for the person who asked.")


class Problem(Exception):
    """Any answer but success. `extra` stands in the document beside the usual fields."""

    status: ClassVar[int] = 500
    slug: ClassVar[str] = "internal"
    title: ClassVar[str] = "Internal error"

    def __init__(self, detail: str, **extra: object) -> None:
        super().__init__(detail)
        self.detail = detail
        self.extra = extra

    def document(self) -> dict[str, object]:
        """The problem document (RFC 9457)."""
        fixed = {"type": TYPES + self.slug, "title": self.title, "status": self.status}
        return {**fixed, "detail": self.detail, **self.extra}


class BadRequest(Problem):
    """The request cannot be read."""

    status, slug, title = 400, "bad-request", "The request cannot be read"


class Unauthenticated(Problem):
    """No token, or one that the API server does not know."""

    status, slug, title = 401, "unauthenticated", "Log in first"


class Forbidden(Problem):
    """A right is missing."""

    status, slug, title = 403, "forbidden", "Not allowed"


class NotFound(Problem):
    """Not there, or not for this caller: the answer is the same on purpose."""

    status, slug, title = 404, "not-found", "Not found"


class SlowBody(Problem):
    """The body of a request did not come in time."""

    status, slug, title = 408, "slow-body", "The request came too slowly"


class SlowUpload(Problem):
    """The body of an upload stopped coming."""

    status, slug, title = 408, "slow-upload", "The upload stopped"


class NameTaken(Problem):
    """Another job has that name."""

    status, slug, title = 409, "name-taken", "The name is taken"


class JobFinished(Problem):
    """The job has ended already."""

    status, slug, title = 409, "job-finished", "The job has finished"


class SourceMissing(Problem):
    """The source is not stored in this namespace."""

    status, slug, title = 409, "source-missing", "Upload the source first"


class SourceGone(Problem):
    """The source was stored once and is no more."""

    status, slug, title = 410, "gone", "No longer stored"


class SourceTooLarge(Problem):
    """The source is over the limit."""

    status, slug, title = 413, "source-too-large", "The source is too large"


class ResultTooLarge(Problem):
    """An artifact or a report is over the limit."""

    status, slug, title = 413, "result-too-large", "The result is too large"


class DigestMismatch(Problem):
    """The bytes are not those that were named."""

    status, slug, title = 422, "digest-mismatch", "The digest does not match"


class IdempotencyMismatch(Problem):
    """The same key came with another request."""

    status, slug, title = 422, "idempotency-mismatch", "The key was used for another request"


class Invalid(Problem):
    """The API server refused the object."""

    status, slug, title = 422, "invalid", "The job is not valid"


class Down(Problem):
    """Something that the gateway needs is away."""

    status, slug, title = 503, "unavailable", "Not available now"


class Restarting(Down):
    """This gateway ends."""

    slug, title = "restarting", "The gateway restarts"


def problem_of(error: kube.ApiError) -> Problem:
    """What a caller is told when the API server did not do what the gateway asked of it."""
    if isinstance(error, kube.Invalid):
        return Invalid(error.message)
    if isinstance(error, kube.Gone):
        return NotFound(error.message)
    if isinstance(error, kube.AlreadyExists):
        return NameTaken(error.message)
    if isinstance(error, kube.Conflict):
        return Down("the job was changed by others at the same time; try again")
    if isinstance(error, kube.Denied):
        return Forbidden(error.message)
    return Down(f"{error.message}; jobs that run are not affected, try again in a moment")
