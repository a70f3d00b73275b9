"""`ci completion`: the script that makes a shell complete `ci`."""

import click
from click.shell_completion import get_completion_class

from cijob_cli.errors import Unusable
from cijob_cli.exitcodes import ExitCode

_HOW = {
    "bash": "ci completion bash > ~/.local/share/bash-completion/completions/ci",
    "zsh": "ci completion zsh > ~/.zfunc/_ci  (with `fpath+=~/.zfunc` before compinit in ~/.zshrc)",
    "fish": "ci completion fish > ~/.config/fish/completions/ci.fish",
}


@click.command(name="completion")
@click.argument("shell", type=click.Choice([*_HOW]))
def completion_command(shell: str) -> int:
    """Print the completion script for SHELL; its last line says how to install it."""
    kind = get_completion_class(shell)
    if kind is None:
        raise Unusable(f"no completion for {shell}")
    script = kind(click.Group("ci"), {}, "ci", "_CI_COMPLETE")
    # Not source(): it would look for the shell's version, and run bash for that.
    click.echo(script.source_template % script.source_vars())
    click.echo(f"# Install: {_HOW[shell]}")
    return ExitCode.SUCCEEDED
