"""Checks of the way from here to a running job, each a line with its next step. Called by doctor.

In the order in which a submission needs them; what needs a failed check is left out.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from cijob_cli.errors import CIError, NotAllowed, Unreachable
from cijob_cli.exitcodes import ExitCode
from cijob_cli.kubeconfig import read_kubeconfig
from cijob_cli.kubectl import find_kubectl
from cijob_cli.reaching import reaching
from cijob_cli.settings import Settings
from cijob_cli.units import counted, format_bytes


@dataclass(frozen=True)
class Finding:
    """The outcome of a check."""

    what: str
    words: str
    error: CIError | None = None


def examine(settings: Settings) -> Iterator[Finding]:
    """Check one after the other, as a person reads them."""
    yield _settings(settings)
    if settings.gateway is None or not settings.token:
        tools = list(_kubectl(settings))
        yield from tools
        if settings.gateway is None and any(finding.error for finding in tools):
            return
    with reaching(settings) as gateway:
        checks: tuple[tuple[str, Callable[[], str]], ...] = (
            ("gateway", lambda: _gateway(dict(gateway.version()), settings)),
            ("login", lambda: f"as {gateway.whoami().get('user') or 'nobody'}"),
            ("rights", lambda: _rights(gateway.namespace, gateway.jobs([("limit", "1")]).items)),
            ("templates", lambda: _templates([str(t["name"]) for t in gateway.templates()])),
        )
        for what, check in checks:
            finding = _tried(what, check)
            yield finding
            if isinstance(finding.error, Unreachable):
                return


def code_of(findings: list[Finding]) -> ExitCode:
    """0, 4 when something is not allowed, 7 for all else that is wrong."""
    errors = [finding.error for finding in findings if finding.error]
    if not errors:
        return ExitCode.SUCCEEDED
    only_rights = all(isinstance(error, NotAllowed) for error in errors)
    return ExitCode.NOT_ALLOWED if only_rights else ExitCode.UNREACHABLE


def _tried(what: str, check: Callable[[], str]) -> Finding:
    try:
        return Finding(what, check())
    except CIError as error:
        return Finding(what, str(error), error)


def _settings(settings: Settings) -> Finding:
    given = [f"{name} from {origin}" for name, origin in settings.origins.items()]
    return Finding("settings", ", ".join(given) or "none given: all from the kubeconfig")


def _kubectl(settings: Settings) -> Iterator[Finding]:
    found = _tried("kubectl", lambda: find_kubectl(settings).program)
    yield found
    if found.error is None:
        yield _tried("kubeconfig", lambda: _context(settings))


def _context(settings: Settings) -> str:
    config = read_kubeconfig(find_kubectl(settings))
    if not config.server:
        raise Unreachable("no current context; `kubectl config use-context NAME`, or --context")
    return f"{config.server}, namespace {settings.namespace or config.namespace or 'default'}"


def _gateway(version: dict[str, object], settings: Settings) -> str:
    limit = version.get("maxSourceBytes")
    way = settings.gateway or f"by port-forward to namespace {settings.system_namespace}"
    sources = f", sources up to {format_bytes(limit)}" if isinstance(limit, int) else ""
    login = ", no login needed" if version.get("auth") == "none" else ""
    return f"version {version.get('version')}, {way}{sources}{login}"


def _rights(namespace: str, _jobs: list[dict[str, object]]) -> str:
    return f"may list jobs in namespace {namespace}"


def _templates(names: list[str]) -> str:
    if not names:
        raise Unreachable(
            "no templates; the chart brings `test`, `run` and `build`: see its `templates`"
        )
    return f"{counted(len(names), 'template')}: {', '.join(names)}"
