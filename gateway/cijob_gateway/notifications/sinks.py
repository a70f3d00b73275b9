"""Where notifications go: the sinks of a namespace, as its ConfigMap and Secret say. Pure.

One ConfigMap and one Secret, both named `cijob-notifications`: a key of the ConfigMap is a sink's
name and its value what the sink is, in YAML; the same key of the Secret has its token or signing
key. What is wrong with one sink is told of that one and disturbs no other. Used by books.py.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Annotated
from urllib.parse import urlsplit

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic.alias_generators import to_camel

NAME = "cijob-notifications"
MOST_SINKS = 32
LONGEST = 4096
# A signing key as Standard Webhooks writes it; any other text is taken as it is.
SIGNING_PREFIX = "whsec_"


class Kind(StrEnum):
    """How a sink is spoken to."""

    WEBHOOK = "webhook"
    GITHUB_STATUS = "github-status"


class EventKind(StrEnum):
    """What can be told: the ends of the events' types."""

    QUEUED = "queued"
    STARTED = "started"
    RETRYING = "retrying"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


def _usable(url: str) -> str:
    """An http or https URL with a host, and with no password that everybody could read."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"is no URL ({error})") from error
    if parts.scheme not in {"https", "http"} or not parts.hostname or port == 0:
        raise ValueError("must be https://host/…")
    if "@" in parts.netloc:
        raise ValueError("must not have a user or password; put the token into the Secret")
    if parts.fragment or not url.isascii() or not url.isprintable() or " " in url:
        raise ValueError("must be an https URL of plain characters, without #")
    return url


Url = Annotated[str, Field(max_length=2048), AfterValidator(_usable)]


class Spec(BaseModel):
    """What the ConfigMap says of a sink. A name that is none is refused, since it is a slip."""

    model_config = ConfigDict(alias_generator=to_camel, frozen=True, extra="forbid")

    kind: Kind
    url: Url
    """Of the webhook; of the API for commit statuses, such as https://api.github.com."""
    events: tuple[EventKind, ...] = tuple(EventKind)
    """Which events the webhook gets; all, unless it says so."""
    repository: Annotated[str, Field(max_length=200, pattern=r"^[\w.-]+/[\w.-]+$")] | None = None
    """`owner/name`, if it is not that of the job's git URL."""
    context: Annotated[str, Field(min_length=1, max_length=100)] | None = None
    """Under which name the status stands beside others."""
    target_url: Url | None = Field(default=None, alias="targetURL")
    """What the status links to; {namespace}, {name} and {uid} are filled in."""

    @model_validator(mode="after")
    def _fits_its_kind(self) -> "Spec":
        webhook = self.kind == Kind.WEBHOOK
        said = self.model_fields_set
        foreign = {"repository", "context", "target_url"} if webhook else {"events"}
        if wrong := sorted(foreign & said):
            raise ValueError(f"{wrong[0]} is not for kind {self.kind}")
        return self


@dataclass(frozen=True)
class Sink:
    """A place to tell."""

    name: str
    spec: Spec
    key: str = field(default="", repr=False)
    """Its token or signing key; empty if it has none."""

    @property
    def signing_key(self) -> bytes:
        """The bytes to sign with; none: it is not signed."""
        if self.key.startswith(SIGNING_PREFIX):
            return base64.b64decode(self.key.removeprefix(SIGNING_PREFIX))
        return self.key.encode()


@dataclass(frozen=True)
class Problem:
    """Why nothing can be told there, in words; `reason` is one for an Event."""

    reason: str
    words: str


Found = Sink | Problem


def read_sinks(config: Mapping[str, str], secret: Mapping[str, str]) -> dict[str, Found]:
    """The sinks of a namespace by name, from the `data` of both objects."""
    names = sorted(config)
    found: dict[str, Found] = {name: _read(name, config[name], secret) for name in names}
    for name in names[MOST_SINKS:]:
        found[name] = _invalid(name, f"is one of {len(names)} sinks; {MOST_SINKS} are the limit")
    return found


def unknown(name: str) -> Problem:
    """What is said of a sink that is not there."""
    words = f"there is no sink {name!r} in ConfigMap {NAME}; add it there, or correct notify"
    return Problem("SinkUnknown", words)


def _read(name: str, text: str, secret: Mapping[str, str]) -> Found:
    if len(text) > LONGEST:
        return _invalid(name, f"has {len(text)} characters; {LONGEST} are the limit")
    try:
        spec = Spec.model_validate(yaml.safe_load(text))
    except yaml.YAMLError:
        return _invalid(name, "is no YAML")
    except RecursionError:
        return _invalid(name, "is nested too deeply")
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(step) for step in first["loc"])
        said = first["msg"].removeprefix("Value error, ")
        return _invalid(name, f"{where}: {said}" if where else said)
    return _with_key(Sink(name, spec), secret.get(name))


def _with_key(sink: Sink, encoded: str | None) -> Found:
    """The sink with what the Secret has for it, as base64."""
    if encoded is None:
        if sink.spec.kind == Kind.GITHUB_STATUS:
            return _invalid(sink.name, f"has no token; put one under its name into Secret {NAME}")
        return sink
    try:
        key = base64.b64decode(encoded).decode().strip()
        keyed = Sink(sink.name, sink.spec, key)
        usable = key.isascii() and key.isprintable() and bool(keyed.signing_key)
    except (binascii.Error, UnicodeDecodeError):
        usable = False
    if not usable:
        return _invalid(sink.name, f"has a key in Secret {NAME} that is no line of plain text")
    return keyed


def _invalid(name: str, words: str) -> Problem:
    return Problem("SinkInvalid", f"sink {name!r} of ConfigMap {NAME}: {words}")
