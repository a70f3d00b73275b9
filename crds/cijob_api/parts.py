"""The parts that a job's spec is made of: source, placement, retries, results and so on.

Its environment is in `variables.py`. Docstrings below fields are their descriptions in
`kubectl explain`.
"""

from enum import StrEnum
from typing import Annotated

from pydantic import Field

from cijob_api.fields import (
    GIT_COMMIT,
    GIT_REF,
    Bytes,
    Count,
    Label,
    Model,
    ObjectName,
    Quantities,
    RelativePath,
    Sha256,
    listed,
    rule,
    rules,
)
from cijob_api.giturls import REF_RULE, URL_RULES


class TemplateRef(Model):
    """The template that a job starts from."""

    name: Label
    """Name of a CIJobTemplate in the job's namespace or, failing that, the system namespace."""


class Archive(Model):
    """An uploaded zip of the source, addressed by its content."""

    sha256: Sha256
    """The digest of the zip, in lower-case hexadecimal."""
    size_bytes: Bytes
    """The size of the zip in bytes."""


class Git(Model):
    """A git repository as the source. Credentials come from a Secret, never from the URL."""

    url: Annotated[
        str,
        Field(
            min_length=1,
            max_length=2048,
            json_schema_extra=rules(*(rule(one.as_cel(), one.words) for one in URL_RULES)),
        ),
    ]
    """Where the repository is: an https:// or ssh:// URL without a password."""
    ref: (
        Annotated[
            str,
            Field(
                min_length=1,
                max_length=255,
                pattern=GIT_REF,
                json_schema_extra=rules(rule(REF_RULE.as_cel(), REF_RULE.words)),
            ),
        ]
        | None
    ) = None
    """Branch or tag (default: the repository's HEAD)."""
    commit: Annotated[str, Field(min_length=4, max_length=64, pattern=GIT_COMMIT)] | None = None
    """The commit to check out, full or abbreviated (default: the tip of ref)."""
    depth: Annotated[int, Field(ge=0, le=1_000_000)] | None = None
    """How many commits of history to fetch; 0 fetches all (default 1)."""
    submodules: bool | None = None
    """Whether to fetch submodules as well (default false)."""
    secret_name: ObjectName | None = None
    """Secret with a token, or an ssh key and known hosts; the job has the key by SSH_AUTH_SOCK."""


class Source(Model):
    """Where the workspace's files come from: one of archive and git."""

    model_config = {
        "json_schema_extra": rules(
            rule(
                "!(has(self.archive) && has(self.git))",
                "a job has one source: give archive or git, not both",
            ),
            rule("has(self.archive) || has(self.git)", "give archive or git, or leave source out"),
        )
    }

    archive: Archive | None = None
    """An uploaded zip."""
    git: Git | None = None
    """A git repository."""


class Resources(Model):
    """What the job may count on, and what it may use at most; as in a Pod."""

    model_config = {
        "json_schema_extra": rules(
            rule(
                "!has(self.requests) || !has(self.limits) || self.requests.all(k,"
                " !(k in self.limits) || !isQuantity(string(self.requests[k]))"
                " || !isQuantity(string(self.limits[k])) || quantity(string(self.requests[k]))"
                ".compareTo(quantity(string(self.limits[k]))) <= 0)",
                "a request is above its limit; lower the request or raise the limit",
            )
        )
    }

    requests: Quantities | None = None
    """What is kept free for the job (default 0.1 CPU and 256Mi of memory)."""
    limits: Quantities | None = None
    """What it may use at most (default 1 CPU, 1Gi of memory, 4Gi of ephemeral-storage)."""


class SecretRef(Model):
    """A Secret by name."""

    name: ObjectName
    """Name of the Secret, in the job's namespace."""


class Prepare(StrEnum):
    """How the source comes into the workspace."""

    PARALLEL = "Parallel"
    INIT = "Init"


class Operator(StrEnum):
    """How a toleration compares."""

    EXISTS = "Exists"
    EQUAL = "Equal"


class Effect(StrEnum):
    """What a taint does to Pods that do not tolerate it."""

    NO_SCHEDULE = "NoSchedule"
    PREFER_NO_SCHEDULE = "PreferNoSchedule"
    NO_EXECUTE = "NoExecute"


class Toleration(Model):
    """A taint of nodes that the job tolerates; as in a Pod."""

    model_config = {
        "json_schema_extra": rules(
            rule(
                "!has(self.operator) || self.operator != 'Exists' || !has(self.value)",
                "operator Exists takes no value; leave value out, or use Equal",
            ),
            rule(
                "!has(self.tolerationSeconds) || (has(self.effect) && self.effect == 'NoExecute')",
                "tolerationSeconds needs effect NoExecute",
            ),
        )
    }

    key: Annotated[str, Field(min_length=1, max_length=317)]
    """The taint's key."""
    operator: Operator | None = None
    """Exists or Equal (default Equal)."""
    value: Annotated[str, Field(max_length=63)] | None = None
    """The taint's value, for Equal."""
    effect: Effect | None = None
    """The taint's effect (default: any)."""
    toleration_seconds: Count | None = None
    """How long to stay on a node that gets the taint NoExecute (default: for ever)."""


class Concurrency(Model):
    """A named group of jobs of which only so many run at a time."""

    group: Label
    """The group's name, within the namespace."""
    limit: Annotated[int, Field(ge=1, le=1000)] | None = None
    """How many of the group run at a time (default 1)."""
    supersede: bool | None = None
    """Whether this job cancels older ones of its group (default false)."""


class Retry(Model):
    """How often a job is tried again; the user's own failures and the platform's are apart."""

    limit: Annotated[int, Field(ge=0, le=20)] | None = None
    """How often to run again after the command failed (default 0)."""
    backoff_seconds: Annotated[int, Field(ge=0, le=3600)] | None = None
    """How long to wait before that; doubles each time, up to 300 (default 10)."""
    infrastructure_limit: Annotated[int, Field(ge=0, le=20)] | None = None
    """How often to run again after the platform failed; 0 never starts twice (default 3)."""


class When(StrEnum):
    """After which end something is kept."""

    ALWAYS = "Always"
    ON_SUCCESS = "OnSuccess"
    ON_FAILURE = "OnFailure"


class Artifact(Model):
    """Files to keep after the end."""

    name: Label
    """The artifact's name."""
    path: RelativePath
    """File, folder or glob in the workspace."""
    when: When | None = None
    """After which end it is kept (default Always)."""


class Reports(Model):
    """Files in which the job reports its results."""

    junit: list[RelativePath] | None = listed(16)
    """Globs of JUnit XML files."""


class Cache(Model):
    """Folders kept from one job to the next."""

    key: Annotated[str, Field(min_length=1, max_length=128)]
    """Jobs with the same key share the folders' contents."""
    paths: list[RelativePath] | None = listed(16)
    """The folders."""


class Notify(Model):
    """A place to tell what happens to the job."""

    name: Label
    """A sink of the namespace's cijob-notifications."""


class DesiredState(StrEnum):
    """Whether the job is wanted."""

    RUN = "Run"
    CANCELLED = "Cancelled"


class Ttl(Model):
    """How long a finished job is kept, by its result."""

    succeeded: Annotated[int, Field(ge=0, le=365 * 86400)] | None = None
    """Seconds after which a succeeded job is deleted (default 86400, a day)."""
    failed: Annotated[int, Field(ge=0, le=365 * 86400)] | None = None
    """Seconds after which any other job is deleted (default 604800, a week)."""
