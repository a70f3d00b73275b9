"""`ci config`: read and change the settings file."""

import click

from cijob_cli.configfile import write_config
from cijob_cli.errors import NotFound
from cijob_cli.exitcodes import ExitCode
from cijob_cli.settings import VARIABLES, config_path, read_config, read_settings

KEYS = click.Choice([*VARIABLES])


@click.group(name="config")
def config_command() -> None:
    """Read and change the settings file.

    A flag wins over a variable (CI_GATEWAY and so on), which wins over this file; what none of
    them says comes from the kubeconfig.
    """


@config_command.command(name="get")
@click.argument("key", type=KEYS)
def config_get(key: str) -> int:
    """Print a setting of the file."""
    stored = read_config(config_path())
    if key not in stored:
        raise NotFound(f"{config_path()} does not set {key}; `ci config set {key} VALUE` does")
    click.echo(stored[key])
    return ExitCode.SUCCEEDED


@config_command.command(name="set")
@click.argument("key", type=KEYS)
@click.argument("value")
def config_set(key: str, value: str) -> int:
    """Store a setting; an empty VALUE removes it."""
    path = config_path()
    content = {**read_config(path), key: value}
    write_config(path, {name: text for name, text in content.items() if text})
    return ExitCode.SUCCEEDED


@config_command.command(name="list")
def config_list() -> int:
    """Print every setting that is given, and where it comes from; a token only as such."""
    settings = read_settings({})
    for name in VARIABLES:
        if name in settings.origins:
            value = "(hidden)" if name == "token" else getattr(settings, name)
            click.echo(f"{name} = {value}  # {settings.origins[name]}")
    return ExitCode.SUCCEEDED


@config_command.command(name="path")
def config_path_command() -> int:
    """Print the path of the settings file."""
    click.echo(config_path())
    return ExitCode.SUCCEEDED
