"""What a person sees while following: the log on stdout, all else on stderr.

Called by follow and the commands. Nothing is animated and nothing is coloured unless stderr is a
terminal. Log lines are bytes of the job: they go out as they came, but for escapes (see there).
"""

import shlex
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

import click

from cijob_api.reasons import Phase
from cijob_cli.answers import Answer
from cijob_cli.escapes import without_escapes
from cijob_cli.events import End, Status
from cijob_cli.settings import colours_wanted

WHERE = {
    "namespace": "-n",
    "context": "--context",
    "kubeconfig": "--kubeconfig",
    "system_namespace": "--system-namespace",
    "gateway": "--gateway",
}
_COLOURS = {"Succeeded": "green", "Failed": "red", "Error": "red", "Cancelled": "yellow"}


@dataclass(frozen=True)
class Screen:
    """Where lines and words go."""

    out: BinaryIO
    coloured: bool = False
    raw: bool = False  # leave escapes in the log
    silent: bool = False  # words only, no log
    program: str = "ci"  # as it was called: `ci` or `kubectl ci`
    where: str = ""  # the options that said where, to be typed again

    def lines(self, lines: Iterable[str]) -> None:
        """Log lines, each with its newline; bytes that are no UTF-8 as lone surrogates."""
        if self.silent:
            return
        text = "".join(lines)
        shown = text if self.raw else without_escapes(text)
        self.out.write(shown.encode("utf-8", "surrogateescape"))
        self.out.flush()

    def object(self, text: str) -> None:
        """One JSON object, on a line of its own."""
        self.out.write(text.encode() + b"\n")
        self.out.flush()

    def command(self, verb: str, job: str) -> str:
        """A command about a job, as it has to be typed to find it again."""
        return f"{self.program} {verb} {job}{self.where}"

    def note(self, text: str, colour: str | None = None) -> None:
        """Words of our own."""
        shown = click.style(text, fg=colour) if self.coloured and colour else text
        mark = click.style("ci:", dim=True) if self.coloured else "ci:"
        click.echo(f"{mark} {without_escapes(shown)}", err=True, color=self.coloured)

    def warn(self, text: str) -> None:
        """A warning."""
        self.note(f"warning: {text}", "yellow")

    def status(self, status: Status) -> None:
        """Where the job is now, if there is something to say."""
        if status.phase == Phase.QUEUED and not status.message and not status.reason:
            return
        attempt = f"attempt {status.attempt} " if status.attempt > 1 else ""
        words = status.message or status.reason
        self.note(f"{attempt}{status.phase.lower()}" + (f": {words}" if words else ""))

    def gap(self, message: str) -> None:
        """Lines are missing at this place."""
        self.note(f"--- lines are missing here: {message or 'no reason given'} ---", "yellow")

    def answer(self, answer: Answer, everything: str) -> None:
        """What broke; `everything` is the command that shows all of it."""
        for line in answer.lines():
            self.note(line, None if line.startswith(" ") else "red")
        if more := answer.more():
            self.note(f"and {more} more: {everything}", "red")
        if answer.missing:
            self.warn(answer.missing)

    def end(self, end: End, answer: Answer, *, took: str, following: str) -> None:
        """The last line: how it ended, where the time went, and what to do next."""
        # The operator's own words for a plain end are the exit code again.
        told = end.exit_code is None or f"exit code {end.exit_code}" in end.message
        code = "" if told else f", exit code {end.exit_code}"
        reason = f" ({end.reason})" if end.reason else ""
        words = f": {end.message}" if end.message else ""
        facts = "".join(f"; {fact}" for fact in answer.facts())
        took = f" after {took}" if took else ""
        times = f" ({said})" if (said := answer.times()) else ""
        self.note(
            f"{end.phase}{reason}{took}{times}{code}{words}{facts}. Next: {following}",
            _COLOURS.get(end.phase),
        )

    @contextmanager
    def progress(
        self, chunks: Iterator[bytes], size: int, label: str = "uploading"
    ) -> Iterator[Iterator[bytes]]:
        """The chunks, with a bar on a terminal that shows how many of `size` bytes are gone."""
        if not sys.stderr.isatty():
            yield chunks
            return
        with click.progressbar(length=size, label=f"ci: {label}", file=sys.stderr, width=30) as bar:
            yield _counted(chunks, bar.update)


def _counted(chunks: Iterator[bytes], gone: Callable[[int], None]) -> Iterator[bytes]:
    for chunk in chunks:
        yield chunk
        gone(len(chunk))


def open_screen(*, raw: bool = False, silent: bool = False) -> Screen:
    """The screen of this process."""
    context = click.get_current_context()
    called = context.find_root().info_name or "ci"
    asked = {option: context.params.get(name) for name, option in WHERE.items()}
    return Screen(
        sys.stdout.buffer,
        coloured=sys.stderr.isatty() and colours_wanted(),
        raw=raw,
        silent=silent,
        program=called.replace("kubectl-ci", "kubectl ci"),
        where="".join(f" {option} {shlex.quote(text)}" for option, text in asked.items() if text),
    )
