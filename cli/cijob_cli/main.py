"""The entry point of `ci` and of the kubectl plugin `kubectl ci`.

Called by the scripts of the distribution. Imports as little as it can: a person waits for it, and
completion waits at every key. The one place where errors become exit codes.
"""

import os
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

from cijob_cli.errors import CIError, exit_code
from cijob_cli.exitcodes import ExitCode
from cijob_cli.settings import traceback_wanted

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

# Name and short help: `ci --help` and completion load no command.
COMMANDS = {
    "submit": "Run a template on a directory, show its log, end as it ends.",
    "run": "Run a command on a directory.",
    "wait": "Follow a job to its end.",
    "logs": "Print a job's log.",
    "list": "List jobs, newest first.",
    "queue": "Show who waits, for what, and for how long.",
    "get": "Show a job.",
    "cancel": "Stop a job for good.",
    "retry": "Run a job again, with the same source.",
    "artifacts": "What a job left behind: list it, download it.",
    "templates": "List what can be submitted.",
    "doctor": "Check the way to the gateway, and your rights.",
    "config": "Read and change the settings file.",
    "completion": "Print the completion script for a shell.",
}


class LazyGroup(click.Group):
    """Loads a command when it is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """The commands in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The command of that name, loaded now."""
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"cijob_cli.commands.{cmd_name}")
        command: click.Command = getattr(module, f"{cmd_name}_command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """The table of commands."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def shell_complete(self, ctx: click.Context, incomplete: str) -> "list[CompletionItem]":
        """The commands that begin so."""
        if incomplete.startswith("-"):
            return super().shell_complete(ctx, incomplete)
        from click.shell_completion import CompletionItem  # noqa: PLC0415 - as above

        return [
            CompletionItem(name, help=words)
            for name, words in COMMANDS.items()
            if name.startswith(incomplete)
        ]

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that was called, and end with its exit code."""
        try:
            ctx.exit(int(super().invoke(ctx) or 0))
        except CIError as error:
            _say(str(error))
            ctx.exit(exit_code(error))
        except KeyboardInterrupt:
            ctx.exit(ExitCode.INTERRUPTED)
        except BrokenPipeError:
            _close_stdout()
            ctx.exit(ExitCode.BROKEN_PIPE)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            if traceback_wanted():
                raise
            _say(f"a bug: {type(error).__name__}: {error}; CI_DEBUG=1 shows where")
            ctx.exit(ExitCode.PLATFORM)


def _say(words: str) -> None:
    from cijob_cli.escapes import without_escapes  # noqa: PLC0415 - only when things go wrong

    click.echo(f"ci: {without_escapes(words)}", err=True)


def _close_stdout() -> None:
    """Nobody reads any more; without this Python complains when it flushes at its end."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


TAB = "TAB completes all of it, names of jobs too: `ci completion bash`, zsh or fish says how."


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]}, epilog=TAB)
@click.version_option(package_name="cijob", prog_name="ci", message="%(prog)s %(version)s")
def main() -> None:
    """Run your code on your own Kubernetes cluster."""
