"""From what a job, its template and its pool say to what is really run. Pure.

`resolve` applies, in this order: the job's own fields, the template's, the pool's, the defaults.
The result has no gaps. What cannot be run, what the pool does not take and what its policy forbids
is a refusal, returned as a value.
"""

from typing import Any, TypeVar

from cijob_api import parts, variables
from cijob_api.fields import Model
from cijob_api.fitting import DEFAULT_POOL, Refusal, architecture_selector, fit
from cijob_api.objects import CIJob, CIJobTemplate
from cijob_api.quantities import parse
from cijob_api.reasons import Reason
from cijob_api.specs import CIPoolSpec, Recipe

M = TypeVar("M", parts.Retry, parts.Ttl)
N = TypeVar("N", variables.EnvVar, parts.Artifact, parts.Toleration)

MERGED = {"env": "name", "artifacts": "name", "tolerations": "key"}
# Filled up field by field: `retry.limit` in a job must not undo `infrastructureLimit: 0` in its
# template, which says "never start twice".
FILLED = ("retry", "ttl_seconds_after_finished")

DEFAULT_RESOURCES = parts.Resources(
    requests={"cpu": "100m", "memory": "256Mi"},
    limits={"cpu": "1", "memory": "1Gi", "ephemeral-storage": "4Gi"},
)


class Retry(Model):
    """A retry policy without gaps."""

    limit: int = 0
    backoff_seconds: int = 10
    infrastructure_limit: int = 3


class Ttl(Model):
    """How long a finished job is kept, without gaps; in seconds."""

    succeeded: int = 86400
    failed: int = 604800


class Resolved(Model):
    """What is really run: every default applied, every policy checked."""

    template: str = ""
    source: parts.Source | None = None
    image: str
    command: list[str] | None = None
    script: str | None = None
    args: list[str] = []
    working_dir: str | None = None
    env: list[variables.EnvVar] = []
    secret_env: list[variables.SecretEnv] = []
    requests: dict[str, str] = {}
    limits: dict[str, str] = {}
    image_pull_secrets: list[parts.SecretRef] = []
    prepare: parts.Prepare = parts.Prepare.PARALLEL
    pool: str = DEFAULT_POOL
    concurrency: parts.Concurrency | None = None
    node_selector: dict[str, str] = {}
    tolerations: list[parts.Toleration] = []
    runtime_class_name: str | None = None
    service_account_name: str = "default"
    priority: int = 0
    queue_timeout_seconds: int = 86400
    start_timeout_seconds: int = 600
    timeout_seconds: int = 3600
    termination_grace_period_seconds: int = 30
    retry: Retry = Retry()
    artifacts: list[parts.Artifact] = []
    reports: parts.Reports | None = None
    ttl: Ttl = Ttl()

    @property
    def needs_agent(self) -> bool:
        """Whether an agent runs beside the job."""
        return bool(self.source) or self.collects

    @property
    def collects(self) -> bool:
        """Whether there is something to collect at its end."""
        return bool(self.artifacts or (self.reports and self.reports.junit))


def resolve(
    job: CIJob, template: CIJobTemplate | None, pool: CIPoolSpec, *, pool_name: str = DEFAULT_POOL
) -> Resolved | Refusal:
    """What `job` means with its template in that pool, or why it may not run there."""
    said = merge(job.spec, template.spec if template else None)
    if refusal := unrunnable(said):
        return refusal
    if refusal := fit(said, {pool_name: pool}, namespace=job.metadata.namespace).refusal:
        return refusal
    label = f"{template.metadata.name}/{template.metadata.generation}" if template else ""
    return Resolved.model_validate(
        {
            **{name: value for name, value in _plain(said).items() if value is not None},
            "template": label,
            "pool": pool_name,
            **_settled(DEFAULT_RESOURCES, said.resources or parts.Resources()).model_dump(),
            "retry": retry_policy(said),
            "ttl": time_to_live(said),
            # The pool's labels win: a job may narrow down its nodes, never leave them.
            "node_selector": {
                **(said.node_selector or {}),
                **architecture_selector(said, pool),
                **(pool.node_selector or {}),
            },
            "tolerations": _by_key("key", pool.tolerations or [], said.tolerations or []),
            "runtime_class_name": said.runtime_class_name or pool.runtime_class_name,
        }
    )


def merge(job: Recipe, template: Recipe | None) -> Recipe:
    """The job's recipe over the template's: its own fields win."""
    if template is None:
        return job
    own = _plain(job)
    merged = {**_plain(template), **{name: v for name, v in own.items() if v is not None}}
    if job.command or job.script:
        # What is run wins as a whole. `args` alone keep the template's command and go behind it:
        # `args: [tests/unit]` on a template that runs pytest.
        merged.update({name: own[name] for name in ("command", "script", "args")})
    for name, key in MERGED.items():
        both = (getattr(template, name) or [], getattr(job, name) or [])
        merged[name] = _by_key(key, *both) or None
    for name in FILLED:
        merged[name] = _over(getattr(template, name), getattr(job, name))
    if job.prepare == parts.Prepare.INIT and not job.reports:
        merged["reports"] = None  # nobody collects then, and the job asked for none
    if template.resources and job.resources:
        merged["resources"] = _settled(template.resources, job.resources)
    return Recipe.model_construct(**merged)


def _over(below: M | None, above: M | None) -> M | None:
    """The fields of both, those above winning."""
    if below is None or above is None:
        return above or below
    return below.model_copy(update=above.model_dump(exclude_none=True))


def _plain(recipe: Recipe) -> dict[str, Any]:
    """The recipe's own fields and their values, not turned into plain data."""
    return {name: getattr(recipe, name, None) for name in Recipe.model_fields}


def _by_key(key: str, below: list[N], above: list[N]) -> list[N]:
    """Both lists in one, by key: what stands above replaces what stands below, in its place."""
    merged = {getattr(item, key): item for item in below}
    merged.update({getattr(item, key): item for item in above})
    return list(merged.values())


def retry_policy(said: Recipe) -> Retry:
    """How often a merged recipe is tried again, defaults applied."""
    return Retry.model_validate(said.retry.model_dump(exclude_none=True) if said.retry else {})


def time_to_live(said: Recipe) -> Ttl:
    """How long a finished job of a merged recipe is kept, defaults applied."""
    ttl = said.ttl_seconds_after_finished
    return Ttl.model_validate(ttl.model_dump(exclude_none=True) if ttl else {})


def _settled(below: parts.Resources, above: parts.Resources) -> parts.Resources:
    """Both layers in one; where a request comes out above its limit, the layer below gives way."""
    requests = {**(below.requests or {}), **(above.requests or {})}
    limits = {**(below.limits or {}), **(above.limits or {})}
    for name in requests.keys() & limits.keys():
        if parse(requests[name]) <= parse(limits[name]):
            continue
        if name in (above.requests or {}):
            limits[name] = requests[name]
        else:
            requests[name] = limits[name]
    return parts.Resources(requests=requests, limits=limits)


def unrunnable(said: Recipe) -> Refusal | None:
    """What a merged recipe lacks to be run anywhere, if anything."""
    if not said.image:
        return Refusal(Reason.ADMISSION_DENIED, "neither the job nor its template names an image")
    agent = said.source or said.artifacts or _junit(said)
    if agent and not said.command and not said.script:
        init = said.prepare == parts.Prepare.INIT and not said.artifacts and not said.reports
        if not (init and said.source):
            return Refusal(
                Reason.COMMAND_MISSING,
                "a job with a source, artifacts or reports needs a command or a script, "
                "or prepare: Init with a source only",
            )
    if said.prepare == parts.Prepare.INIT and (said.artifacts or _junit(said)):
        return Refusal(
            Reason.ADMISSION_DENIED,
            "with prepare: Init the command runs alone, and nobody is there to keep artifacts or "
            "reports; leave prepare out",
        )
    return None


def _junit(said: Recipe) -> list[str]:
    return (said.reports.junit or []) if said.reports else []
