"""Where the gateway is and who is calling: flags, environment, settings file, kubeconfig.

The only module of the CLI that reads the environment. Each setting is taken from the first place
that has it: flag, then `CI_*` variable, then the settings file; what is still missing is asked of
the kubeconfig later, and only if it is needed.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from cijob_cli.errors import BadSetting

# The settings that a person can give, and their variables.
VARIABLES = {
    "gateway": "CI_GATEWAY",
    "token": "CI_TOKEN",
    "namespace": "CI_NAMESPACE",
    "context": "CI_CONTEXT",
    "system_namespace": "CI_SYSTEM_NAMESPACE",
}
# Credentials that a job from a repository needs and its caller mostly has.
PASSED_ON = ("GITHUB_TOKEN", "ANTHROPIC_API_KEY", "OPENAI_API_KEY")
# In git's hooks these point git to another work tree than the one that is submitted.
_GITS_OWN = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX")


@dataclass(frozen=True)
class Settings:
    """How to reach the gateway; None is left to the kubeconfig."""

    gateway: str | None
    token: str | None
    namespace: str | None
    context: str | None
    kubeconfig: str | None
    system_namespace: str
    cache: Path  # of minted tokens
    origins: Mapping[str, str]  # where each given setting comes from, in words

    def in_project(self, namespace: str | None) -> "Settings":
        """With a project's namespace: flag and variable win over it, it over the settings file."""
        origin = self.origins.get("namespace", "")
        if namespace is None or origin.startswith(("flag", "CI_")):
            return self
        return replace(self, namespace=namespace)


def config_path(environment: Mapping[str, str] = os.environ) -> Path:
    """The settings file, whether it is there or not."""
    return _folder(environment, "XDG_CONFIG_HOME", ".config") / "config.toml"


def read_settings(
    flags: Mapping[str, str | None], environment: Mapping[str, str] = os.environ
) -> Settings:
    """Put the settings together. Raises BadSetting."""
    given: dict[str, str] = {}
    origins: dict[str, str] = {}
    path = config_path(environment)
    stored = read_config(path)
    for name, variable in VARIABLES.items():
        for value, origin in (
            (flags.get(name), f"flag --{name.replace('_', '-')}"),
            (environment.get(variable), variable),
            (stored.get(name), str(path)),
        ):
            if value and name not in given:
                given[name], origins[name] = value, origin
    return Settings(
        gateway=_url(given.get("gateway"), origins.get("gateway", "")),
        token=given.get("token"),
        namespace=given.get("namespace"),
        context=given.get("context"),
        kubeconfig=flags.get("kubeconfig"),
        system_namespace=given.get("system_namespace", "cijob-system"),
        cache=_folder(environment, "XDG_CACHE_HOME", ".cache"),
        origins=origins,
    )


def read_config(path: Path) -> dict[str, str]:
    """The settings file; none is an empty one. Raises BadSetting."""
    import tomllib  # noqa: PLC0415 - 10 ms that `ci --version` need not pay

    try:
        content = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise BadSetting(f"{path}: {error}; correct it or remove it") from error
    for name, value in content.items():
        if name not in VARIABLES or not isinstance(value, str):
            known = ", ".join(VARIABLES)
            raise BadSetting(f"{path}: '{name}' is no setting; known are the texts {known}")
    return content


def secret_values(
    names: tuple[str, ...],
    environment: Mapping[str, str] = os.environ,
    *,
    option: str = "--secret-env",
) -> dict[str, str]:
    """The values of secret variables, from the caller's environment. Raises BadSetting."""
    for name in names:
        if name not in environment:
            raise BadSetting(f"{option} {name}: no such variable in your environment; set it")
    return {name: environment[name] for name in names}


def passed_on(environment: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """The variables that a job with --clone-url gets unasked: those that are set here."""
    return tuple(name for name in PASSED_ON if environment.get(name))


def colours_wanted(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether colours are welcome on a terminal: https://no-color.org."""
    return not environment.get("NO_COLOR") and environment.get("TERM") != "dumb"


def traceback_wanted(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether a bug is to be shown with its traceback."""
    return bool(environment.get("CI_DEBUG"))


def git_environment(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment for git, so that it looks at the directory it is told."""
    return {name: value for name, value in environment.items() if name not in _GITS_OWN}


def home(environment: Mapping[str, str] = os.environ) -> Path:
    """The caller's home; the root where there is none."""
    return Path(environment.get("HOME") or "/")


def plugin_environment(
    extra: Mapping[str, str], environment: Mapping[str, str] = os.environ
) -> dict[str, str]:
    """The environment for a login plugin of the kubeconfig."""
    return {**environment, **extra}


def _folder(environment: Mapping[str, str], variable: str, below_home: str) -> Path:
    given = environment.get(variable)
    return (Path(given) if given else home(environment) / below_home) / "ci"


def _url(given: str | None, origin: str) -> str | None:
    if given is not None and not given.startswith(("http://", "https://")):
        raise BadSetting(f"{origin}: '{given}' is no URL; write https://HOST or http://HOST:PORT")
    return given.rstrip("/") if given else None
