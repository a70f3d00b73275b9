"""Who asks, and what they may do: Kubernetes' own answers, remembered for seconds.

A bearer token goes to a TokenReview, what it may do to a SubjectAccessReview: there is nothing but
the cluster's own RBAC. Tokens of agents are for the internal listener, and users' tokens for the
other: each side asks for its own audience.
"""

import hashlib
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from cijob_api import names
from cijob_gateway.errors import Forbidden, NotFound, Unauthenticated
from cijob_kube.api import Api

AUDIENCE = "cijob-gateway"
AGENT_AUDIENCE = "cijob-agent"
REMEMBERED_SECONDS = 10.0
REMEMBERED = 10_000
Json = dict[str, Any]
T = TypeVar("T")


@dataclass(frozen=True)
class Caller:
    """A reviewed token's owner. `extra` has what the API server adds, such as a Pod's UID."""

    user: str
    uid: str = ""
    groups: tuple[str, ...] = ()
    extra: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def said(self, key: str) -> str:
        """The first value that `extra` has for a key, or nothing."""
        return next((values[0] for name, values in self.extra if name == key and values), "")


LOCAL = Caller(user="local")  # whoever reaches a gateway without a login


@dataclass(frozen=True)
class Right:
    """A verb on the jobs of a namespace, or on one of them."""

    verb: str
    namespace: str
    name: str = ""
    subresource: str = ""


class Remembered(Generic[T]):
    """Answers of the last seconds; those that are too old, or too many, are let go of."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._answers: dict[Hashable, tuple[float, T]] = {}

    def get(self, key: Hashable) -> T | None:
        """What was answered within the last seconds, if anything."""
        found = self._answers.get(key)
        if found is None or self._monotonic() - found[0] > REMEMBERED_SECONDS:
            return None
        return found[1]

    def put(self, key: Hashable, answer: T) -> None:
        """Remember an answer."""
        if len(self._answers) >= REMEMBERED:
            self._answers.clear()
        self._answers[key] = (self._monotonic(), answer)


class Login:
    """Asks the API server who a token belongs to, and what that user may do."""

    def __init__(self, api: Api, *, required: bool, monotonic: Callable[[], float]) -> None:
        self._api = api
        self.required = required
        self._callers: Remembered[Caller] = Remembered(monotonic)
        self._rights: Remembered[bool] = Remembered(monotonic)

    async def user(self, authorization: str | None) -> Caller:
        """Who calls the user API. Raises Unauthenticated."""
        if not self.required:
            return LOCAL
        token = _bearer(authorization)
        # A token made for us, or one of the API server's own, as kubectl has it.
        for audiences in ((AUDIENCE,), ()):
            if caller := await self._review(token, audiences):
                return caller
        raise Unauthenticated(
            "the token is not valid (any more) for this cluster; `ci doctor` says where it is from"
        )

    async def agent(self, authorization: str | None) -> Caller:
        """Which Pod's agent calls the internal API. Raises Unauthenticated."""
        if caller := await self._review(_bearer(authorization), (AGENT_AUDIENCE,)):
            return caller
        raise Unauthenticated(f"not a token of an agent (audience {AGENT_AUDIENCE})")

    async def require(self, caller: Caller, right: Right) -> None:
        """Raise Forbidden, naming the right, unless the caller has it."""
        if await self.may(caller, right):
            return
        what = f"{names.GROUP} cijobs" + (f"/{right.subresource}" if right.subresource else "")
        raise Forbidden(
            f"{caller.user} may not {right.verb} {what} in namespace {right.namespace}; "
            "a Role of that namespace must allow it (the chart's jobNamespaces makes one)"
        )

    async def require_sight(self, caller: Caller, right: Right) -> None:
        """As `require`, but as if the job were not there: its existence is nobody else's matter."""
        if not await self.may(caller, right):
            raise NotFound(f"there is no job {right.name!r} in namespace {right.namespace}")

    async def may(self, caller: Caller, right: Right) -> bool:
        """Whether the caller has a right, by the cluster's RBAC."""
        if not self.required:
            return True
        known = self._rights.get((caller, right))
        if known is None:
            known = await self._ask(caller, right)
            self._rights.put((caller, right), known)
        return known

    async def _ask(self, caller: Caller, right: Right) -> bool:
        attributes = {
            "group": names.GROUP,
            "resource": "cijobs",
            "subresource": right.subresource,
            "verb": right.verb,
            "namespace": right.namespace,
            "name": right.name,
        }
        spec = {
            "user": caller.user,
            "uid": caller.uid,
            "groups": list(caller.groups),
            "extra": {key: list(values) for key, values in caller.extra},
            "resourceAttributes": attributes,
        }
        review = await self._api.create(
            "/apis/authorization.k8s.io/v1/subjectaccessreviews",
            {
                "apiVersion": "authorization.k8s.io/v1",
                "kind": "SubjectAccessReview",
                "spec": spec,
            },
        )
        return bool(review["status"]["allowed"])

    async def _review(self, token: str, audiences: tuple[str, ...]) -> Caller | None:
        key = (hashlib.sha256(token.encode()).digest(), audiences)
        if known := self._callers.get(key):
            return known
        spec = {"token": token, **({"audiences": list(audiences)} if audiences else {})}
        review = await self._api.create(
            "/apis/authentication.k8s.io/v1/tokenreviews",
            {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": spec},
        )
        caller = _caller(review.get("status") or {}, audiences)
        if caller:
            self._callers.put(key, caller)
        return caller


def _bearer(authorization: str | None) -> str:
    kind, _, token = (authorization or "").partition(" ")
    if kind.lower() != "bearer" or not token.strip():
        raise Unauthenticated("no token came with the request: send Authorization: Bearer …")
    return token.strip()


def _caller(status: Json, audiences: tuple[str, ...]) -> Caller | None:
    """Who a review names; an authenticator that knows no audiences says none, and is no match."""
    if not status.get("authenticated"):
        return None
    if audiences and not set(audiences) & set(status.get("audiences") or ()):
        return None
    user = status.get("user") or {}
    extra = {key: tuple(values) for key, values in (user.get("extra") or {}).items()}
    return Caller(
        user=user.get("username") or "",
        uid=user.get("uid") or "",
        groups=tuple(user.get("groups") or ()),
        extra=tuple(sorted(extra.items())),
    )
