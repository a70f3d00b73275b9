"""`ci doctor`: check the way to the gateway, and the caller's rights."""

import sys

import click

from cijob_cli.options import connection_options
from cijob_cli.settings import Settings, colours_wanted


@click.command(name="doctor")
@connection_options
def doctor_command(*, settings: Settings) -> int:
    """Check all that a submission needs, a line each, with what is wrong and what to do.

    Exit codes: 0 all is well, 4 something is not allowed, 7 anything else is wrong.
    """
    from cijob_cli.doctor import code_of, examine  # noqa: PLC0415

    coloured = sys.stdout.isatty() and colours_wanted()
    findings = []
    for finding in examine(settings):
        findings.append(finding)
        mark = _mark(bad=finding.error is not None)
        shown = click.style(mark, fg="red" if finding.error else "green") if coloured else mark
        click.echo(f"{shown} {finding.what + ':':<12}{finding.words}")
    return code_of(findings)


def _mark(*, bad: bool) -> str:
    """A mark that the terminal's encoding has."""
    mark = "✗" if bad else "✓"
    try:
        mark.encode(sys.stdout.encoding or "ascii")
    except UnicodeEncodeError:
        return "x" if bad else "o"
    return mark
