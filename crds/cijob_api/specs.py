"""What a job and a template can say: the recipe that both share.

No field has a default in the stored object: it would then beat the template's. `resolve` applies
the defaults, last; descriptions name them.
"""

from typing import Annotated

from pydantic import Field

from cijob_api import parts, variables
from cijob_api.fields import (
    Architecture,
    Argument,
    Image,
    Label,
    Labels,
    Model,
    ObjectName,
    Script,
    Word,
    listed,
    named,
    rule,
    rules,
    seconds,
)

ONE_COMMAND = rule("!(has(self.command) && has(self.script))", "give command or script, not both")


class Recipe(Model):
    """What to run, where, when and how often."""

    model_config = {"json_schema_extra": rules(ONE_COMMAND)}

    source: parts.Source | None = None
    """Where the workspace's files come from (default: the job has no workspace)."""
    image: Image | None = None
    """The container image that the command runs in; needed here or in the template."""
    command: list[Argument] | None = Field(default=None, min_length=1, max_length=128)
    """The program and its first arguments (default: the image's own entrypoint). As in a Pod,
    $(NAME) stands for a variable and $$ for a dollar."""
    script: Script | None = None
    """Text that `sh -eu` runs as it is written, instead of a command."""
    args: list[Argument] | None = listed(128)
    """Arguments behind the command, the script or the image's entrypoint. Given without a command
    or script, they replace the template's arguments and keep its command."""
    working_dir: (
        Annotated[
            str,
            Field(
                min_length=1,
                max_length=512,
                json_schema_extra=rules(
                    rule(
                        "!self.split('/').exists(p, p == '..')",
                        "must not contain '..'",
                    )
                ),
            ),
        ]
        | None
    ) = None
    """Where the command starts: absolute, or relative to the workspace (default: the workspace,
    or the image's own)."""
    env: list[variables.EnvVar] | None = named("name", 100)
    """Environment variables; merged with the template's by name."""
    secret_env: list[variables.SecretEnv] | None = named("secretName", 16)
    """Environment variables from Secrets."""
    resources: parts.Resources | None = None
    """What the job may count on, and what it may use at most."""
    image_pull_secrets: list[parts.SecretRef] | None = named("name", 8)
    """Secrets with credentials for the image's registry."""
    prepare: parts.Prepare | None = None
    """Parallel fetches the source beside the job's container, Init before it: slower, for images
    without a shell (default Parallel)."""
    pool: Label | None = None
    """The CIPool to run in (default auto: the fitting one with most room)."""
    architecture: Architecture | None = None
    """The processor to run on, such as amd64 or arm64; x86_64 and aarch64 mean the same (default:
    any)."""
    toolchains: list[Label] | None = listed(16)
    """Toolchains that the pool must offer."""
    node_selector: Labels | None = None
    """Labels that the node must have, as far as the pool allows."""
    tolerations: list[parts.Toleration] | None = named("key", 16)
    """Taints that the job tolerates, as far as the pool allows; merged by key."""
    runtime_class_name: ObjectName | None = None
    """The RuntimeClass to run with, as far as the pool allows."""
    service_account_name: ObjectName | None = None
    """The ServiceAccount of the Pod, as far as the pool allows (default: default). The job gets
    no token of it."""
    priority: Annotated[int, Field(ge=-1000, le=1000)] | None = None
    """Jobs of higher priority go first (default 0)."""
    queue_timeout_seconds: int | None = seconds(86400)
    """How long the job may wait in the queue, in seconds (default 86400, a day)."""
    start_timeout_seconds: int | None = seconds(600)
    """How long its Pod may take to start, in seconds (default 600)."""
    timeout_seconds: int | None = seconds(3600)
    """How long it may run, in seconds, fetching its source included (default 3600, an hour)."""
    termination_grace_period_seconds: int | None = seconds(30, 0, 3600)
    """How long it may take to end after TERM before it is killed, in seconds (default 30)."""
    concurrency: parts.Concurrency | None = None
    """A group of jobs of which only so many run at a time."""
    retry: parts.Retry | None = None
    """How often it is tried again."""
    artifacts: list[parts.Artifact] | None = named("name", 32)
    """Files to keep after the end; merged with the template's by name."""
    reports: parts.Reports | None = None
    """Files in which the job reports its results."""
    cache: list[parts.Cache] | None = named("key", 8)
    """Folders kept from one job to the next."""
    notify: list[parts.Notify] | None = named("name", 8)
    """Places to tell of the job's end."""
    ttl_seconds_after_finished: parts.Ttl | None = None
    """How long the finished job is kept."""


class CIJobSpec(Recipe):
    """One run: a recipe of its own, a template's, or both, the job's fields winning."""

    model_config = {"json_schema_extra": rules(ONE_COMMAND)}

    template_ref: parts.TemplateRef | None = None
    """The template that the job starts from."""
    suspend: bool | None = None
    """While true the job waits, and its queue timeout stands still (default false)."""
    desired_state: parts.DesiredState = parts.DesiredState.RUN
    """Cancelled stops the job for good."""


class CIJobTemplateSpec(Recipe):
    """A recipe that jobs start from."""

    model_config = {"json_schema_extra": rules(ONE_COMMAND)}

    description: Annotated[str, Field(max_length=1024)] | None = None
    """What the template is for, in a sentence."""
    accepts_job_flags: bool | None = None
    """Whether the command understands the flags of `ci run --clone-url` (default false)."""


class Limits(Model):
    """How much of a pool one tenant may use at a time."""

    per_namespace: Annotated[int, Field(ge=1, le=100_000)] | None = None
    """Jobs of one namespace that run at a time (default: no limit but the pool's)."""
    per_submitter: Annotated[int, Field(ge=1, le=100_000)] | None = None
    """Jobs of one submitter that run at a time, in all namespaces together; those without one count
    as their namespace's (default: no limit but the pool's)."""


class Allow(Model):
    """Which fields a job may set in this pool."""

    node_selector: bool | None = None
    """nodeSelector (default false)."""
    tolerations: bool | None = None
    """tolerations (default false)."""
    runtime_class_names: list[ObjectName] | None = listed(16)
    """RuntimeClasses that a job may name (default none)."""
    service_account_names: list[ObjectName] | None = listed(64)
    """ServiceAccounts other than `default` that a job may name (default none)."""


class CIPoolSpec(Model):
    """A class of build capacity."""

    architecture: Architecture | None = None
    """The processor of its nodes, such as amd64 (default: any)."""
    toolchains: list[Label] | None = listed(64)
    """Toolchains that its nodes offer."""
    max_concurrent: Annotated[int, Field(ge=0, le=100_000)]
    """How many jobs run in it at a time; 0 closes it."""
    node_selector: Labels | None = None
    """Labels of its nodes."""
    tolerations: list[parts.Toleration] | None = named("key", 16)
    """Taints of its nodes."""
    runtime_class_name: ObjectName | None = None
    """The RuntimeClass that its jobs run with."""
    namespaces: list[Word] | None = listed(256)
    """Namespaces that may use it (default: all)."""
    limits: Limits | None = None
    """How much one tenant may use at a time."""
    allow: Allow | None = None
    """Which fields a job may set."""
