"""What the API server can answer, and who must act on it.

ApiError                the API server said no; `status`, `reason` and its own words
├── Conflict            409: the object changed since it was read: observe again
├── AlreadyExists       409 on create: an object of that name is there
├── Gone                404, or 410: it is not there (any more)
├── Denied              401, 403: the administrator must grant a right; quota, too
├── Invalid             400, 413, 422: the request is wrong; repeating it cannot help
└── Unavailable         429, 5xx, no connection: try again later; never a verdict
LeaseLost               this process leads no more: it writes nothing
"""

TIMEOUT = "Timeout"  # the reason of an Unavailable whose server was reached and said nothing


class ApiError(Exception):
    """An answer of the API server other than success."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
        self.message = message


class Conflict(ApiError):
    """The object was changed by someone else since it was read."""


class AlreadyExists(ApiError):
    """There is an object of that name already."""


class Gone(ApiError):
    """There is no such object."""


class Denied(ApiError):
    """Not allowed: by RBAC, by an admission plugin, or by a quota."""


class Invalid(ApiError):
    """The object or the request is wrong."""


class Unavailable(ApiError):
    """The API server is away, overloaded or restarting."""

    @property
    def is_away(self) -> bool:
        """Whether there is nobody to answer; else the request may be what cannot be answered."""
        return self.status == 0 and self.reason != TIMEOUT


class LeaseLost(Exception):
    """Another process leads now, or may lead soon."""


def from_status(status: int, body: dict[str, object], *, creating: bool = False) -> ApiError:
    """The error for an HTTP status and the `Status` object in its body."""
    reason = str(body.get("reason") or "")
    message = str(body.get("message") or f"the API server answered {status}")
    kinds: dict[int, type[ApiError]] = {
        400: Invalid,
        401: Denied,
        403: Denied,
        404: Gone,
        409: AlreadyExists if creating and reason == "AlreadyExists" else Conflict,
        410: Gone,
        413: Invalid,
        422: Invalid,
    }
    return kinds.get(status, Unavailable)(status, reason, message)
