"""Options that several commands share, as decorators. Light: every command imports it."""

from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import datetime
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar

import click

from cijob_cli.errors import BadSetting
from cijob_cli.settings import read_settings
from cijob_cli.units import parse_duration, parse_time

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

F = TypeVar("F", bound=Callable[..., Any])
_CONNECTION = (
    click.option("--namespace", "-n", help="Namespace (default: the kubeconfig context's)."),
    click.option("--gateway", metavar="URL", help="The gateway (default: found by kubectl)."),
    click.option("--token", help="Bearer token (default: the kubeconfig's)."),
    click.option("--context", help="Context of the kubeconfig."),
    click.option("--kubeconfig", type=click.Path(), help="Path of the kubeconfig."),
    click.option("--system-namespace", help="Where cijob runs (default cijob-system)."),
)
_CONNECTION_NAMES = (
    "namespace",
    "gateway",
    "token",
    "context",
    "kubeconfig",
    "system_namespace",
)


def duration(_ctx: click.Context, _param: click.Parameter, value: str | None) -> int | None:
    """The callback of an option such as 90, 90s, 15m or 2h: seconds."""
    try:
        return None if value is None else parse_duration(value)
    except BadSetting as error:
        raise click.BadParameter(str(error)) from error


def moment(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    """The callback of an option such as 10m or 2026-01-31T12:00:00Z: as the gateway reads it."""
    if value is None:
        return None
    try:
        if parse_time(value) is None:
            parse_duration(value)
    except BadSetting as error:
        words = f"'{value}' is no time; write 10m, 2h or 2026-01-31T12:00:00Z"
        raise click.BadParameter(words) from error
    return value if parse_time(value) is None else _zoned(value)


def _zoned(time: str) -> str:
    """A time without a zone is the caller's own."""
    zoned = time[-1:] in ("Z", "z") or time[-6:-5] in ("+", "-")
    return time if zoned else datetime.fromisoformat(time).astimezone().isoformat()


@dataclass(frozen=True)
class FollowFlags:
    """How a submitted job is waited for."""

    leave: bool  # --async
    show_log: bool
    exit_code_from_job: bool
    output: str | None
    raw: bool
    json_events: bool


@dataclass(frozen=True)
class JobFlags:
    """What the caller says about the job; None and empty where they say nothing."""

    name: str | None
    image: str | None
    env: tuple[str, ...]
    secret_env: tuple[str, ...]
    cpu: str | None
    memory: str | None
    timeout: int | None
    priority: int | None
    pool: str | None
    dry_run: bool


@dataclass(frozen=True)
class CloneFlags:
    """What is said of a repository to clone, in place of a directory."""

    clone_url: str | None
    ref: str | None
    git_secret: str | None
    tasks: str | None
    unit: str | None
    pass_env: tuple[str, ...]

    def given(self) -> str | None:
        """The first option that is given, if any is."""
        names = (item.name for item in fields(self) if getattr(self, item.name))
        return next((f"--{name.replace('_', '-')}" for name in names), None)


_FOLLOW = (
    click.option("--async", "leave", is_flag=True, help="Print the job's name and leave."),
    click.option(
        "--follow/--no-follow",
        "show_log",
        default=True,
        help="Show the log (default), or only wait.",
    ),
    click.option(
        "--exit-code-from-job", is_flag=True, help="A failed job's own exit code is ours."
    ),
    click.option(
        "-o",
        "--output",
        type=click.Choice(("yaml", "json", "name")),
        help="Print the job so; with --dry-run, --async or --no-follow.",
    ),
    click.option("--raw", is_flag=True, help="Leave terminal escapes in the log."),
    click.option("--json-events", is_flag=True, help="CloudEvents, one a line, not the log."),
)
_JOB = (
    click.option("--name", help="Name of the job (default: made of the template's)."),
    click.option("--image", help="Image (default: the template's)."),
    click.option("--env", "-e", multiple=True, metavar="K=V", help="Environment variable."),
    click.option(
        "--secret-env", multiple=True, metavar="NAME", help="Secret variable, from yours."
    ),
    click.option("--cpu", help="CPUs to request and to be limited to, such as 2 or 500m."),
    click.option("--memory", help="Memory to request and to be limited to, such as 2Gi."),
    click.option(
        "--timeout", callback=duration, metavar="TIME", help="How long it may run: 90s, 15m, 2h."
    ),
    click.option("--priority", type=click.IntRange(-1000, 1000), help="Higher goes first."),
    click.option("--pool", help="Pool to run in."),
    click.option("--dry-run", is_flag=True, help="Print the job that would be, checked."),
)
_CLONE = (
    click.option("--clone-url", metavar="URL", help="Repository that the cluster clones."),
    click.option("--ref", help="Its branch, tag or commit (default: HEAD)."),
    click.option("--git-secret", metavar="NAME", help="Secret with its token or ssh key."),
    click.option("--tasks", metavar="DIR", help="Told to a template without CMD (default: .)."),
    click.option("--unit", help="Told to a template without CMD."),
    click.option(
        "--pass-env", multiple=True, metavar="NAME", help="Credential to pass on, from yours."
    ),
)


def connection_options(command: F) -> F:
    """Gives the command `settings`, from its flags, the environment and the settings file."""

    @wraps(command)
    def with_settings(*args: Any, **given: Any) -> Any:
        flags = {name: given.pop(name) for name in _CONNECTION_NAMES}
        return command(*args, settings=read_settings(flags), **given)

    return _with_options(with_settings, _CONNECTION)  # type: ignore[return-value]


def follow_options(command: F) -> F:
    """Gives the command `waiting`, a FollowFlags."""
    return _gathered(command, "waiting", FollowFlags, _FOLLOW)


def clone_options(command: F) -> F:
    """Gives the command `cloning`, a CloneFlags."""
    return _gathered(command, "cloning", CloneFlags, _CLONE)


def job_options(command: F) -> F:
    """Gives the command `flags`, a JobFlags."""
    return _gathered(command, "flags", JobFlags, _JOB)


def _complete_job(
    ctx: click.Context, _param: click.Parameter, incomplete: str
) -> "list[CompletionItem]":
    from cijob_cli.completing import job_names  # noqa: PLC0415 - only when TAB is pressed

    return job_names({name: ctx.params.get(name) for name in _CONNECTION_NAMES}, incomplete)


def job_argument(command: F) -> F:
    """JOB, a name or how it begins or ends; TAB completes it."""
    return click.argument("job", shell_complete=_complete_job)(command)


def output_option(*formats: str) -> Callable[[F], F]:
    """`-o`, the first format being the default."""
    return click.option(
        "-o", "--output", type=click.Choice(formats), default=formats[0], show_default=True
    )


def _gathered(command: F, name: str, kind: type[Any], options: tuple[Any, ...]) -> F:
    @wraps(command)
    def gather(*args: Any, **given: Any) -> Any:
        flags = kind(**{item.name: given.pop(item.name) for item in fields(kind)})
        return command(*args, **{name: flags}, **given)

    return _with_options(gather, options)  # type: ignore[return-value]


def _with_options(command: Callable[..., Any], options: tuple[Any, ...]) -> Callable[..., Any]:
    for option in reversed(options):
        command = option(command)
    return command


class BehindDashes(click.Command):
    """A command that takes all behind `--` as it is, in `ctx.meta["behind"]`.

    click itself would mix it with the arguments before.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Cut the command line at the first `--`."""
        if "--" in args:
            cut = args.index("--")
            args, ctx.meta["behind"] = args[:cut], tuple(args[cut + 1 :])
        return super().parse_args(ctx, args)


def behind_dashes() -> tuple[str, ...]:
    """What stood behind `--`."""
    return tuple(click.get_current_context().meta.get("behind", ()))
