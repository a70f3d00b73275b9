"""Makes the body that is posted for a job, of flags and the project's defaults. Pure.

Called by submit and run. Flags win; `--env` and the project's env merge by name.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cijob_api.giturls import fault
from cijob_cli.errors import Unusable
from cijob_cli.options import JobFlags
from cijob_cli.project import Project

Body = dict[str, Any]


@dataclass(frozen=True)
class Clone:
    """A repository to run in, and what its template is told of it."""

    url: str
    ref: str | None = None
    secret: str | None = None  # with its credentials
    tasks: str = "."
    unit: str | None = None

    def __post_init__(self) -> None:
        """Raise Unusable for a URL that the schema would refuse: it may hold a password."""
        if words := fault(self.url):
            raise Unusable(f"--clone-url {words}")

    def flags(self) -> tuple[str, ...]:
        """What a template that understands them gets behind its command."""
        told = ("--clone-url", self.url, "--tasks", self.tasks, "--json-events")
        return (*told, "--unit", self.unit) if self.unit else told

    def source(self) -> Body:
        """The source of the job."""
        said = {"url": self.url, "ref": self.ref, "secretName": self.secret}
        return {"git": {key: value for key, value in said.items() if value}}


@dataclass(frozen=True)
class What:
    """What is to run: a template, a command or arguments."""

    template: str
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    clone: Clone | None = None


def job_body(what: What, flags: JobFlags, project: Project, secrets: Mapping[str, str]) -> Body:
    """The JSON of a submission, still without its source. Raises Unusable."""
    spec: Body = {
        "templateRef": {"name": what.template},
        "source": what.clone.source() if what.clone else None,
        "image": flags.image or project.image,
        "command": [verbatim(word) for word in what.command],
        "args": [verbatim(word) for word in what.args],
        "env": _env(project.env, flags.env),
        "resources": _resources(flags.cpu or project.cpu, flags.memory or project.memory),
        "timeoutSeconds": flags.timeout or project.timeout_seconds,
        "priority": project.priority if flags.priority is None else flags.priority,
        "pool": flags.pool or project.pool,
    }
    body: Body = {
        "spec": {key: value for key, value in spec.items() if value not in (None, [], {})}
    }
    if flags.name:
        body["name"] = flags.name
    if secrets:
        body["secrets"] = dict(secrets)
    return body


def with_archive(body: Body, sha256: str, size: int) -> Body:
    """The same with a source."""
    archive = {"sha256": sha256, "sizeBytes": size}
    return {**body, "spec": {**body["spec"], "source": {"archive": archive}}}


def with_job_flags(body: Body, what: What, templates: Iterable[Mapping[str, Any]]) -> Body:
    """The same with the flags that its template understands, behind the template's own arguments.

    A command of the caller's gets none. Raises Unusable where the template has nothing to run them.
    """
    if what.command or not what.clone:
        return body
    # The namespace's own come first, as where the operator looks.
    found = next((one for one in templates if one["name"] == what.template), {})
    if not found.get("acceptsJobFlags"):
        raise Unusable(
            f"no command, and template {what.template} does not have acceptsJobFlags: true; write a"
            " command behind two dashes, `ci run --clone-url URL -- make test`"
        )
    args = [*(found.get("args") or []), *(verbatim(word) for word in what.clone.flags())]
    return {**body, "spec": {**body["spec"], "args": args}}


def verbatim(word: str) -> str:
    """A word of a command so that it arrives as it was typed.

    Kubernetes replaces `$(NAME)` and `$$` in a container's command and arguments, as its reference
    of `Container` says: a shell's `$$` would become `$`.
    """
    return word.replace("$", "$$") if "$(" in word or "$$" in word else word


def _env(defaults: Mapping[str, str], given: tuple[str, ...]) -> list[dict[str, str]]:
    merged = dict(defaults)
    for pair in given:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise Unusable(f"--env {name}: write NAME=VALUE; for a secret of yours, --secret-env")
        merged[name] = value
    return [{"name": name, "value": value} for name, value in merged.items()]


def _resources(cpu: str | None, memory: str | None) -> Body:
    asked = {name: value for name, value in (("cpu", cpu), ("memory", memory)) if value}
    return {"requests": asked, "limits": dict(asked)} if asked else {}
