"""What broke, where the time went, and whether it is flaky: the gateway's outcome of a job. Pure.

Called by outcome and the commands. The gateway may be older than this `ci`, or away by now: an
answer that is not there says nothing.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cijob_cli.units import counted, format_duration

SHOWN = 10  # failed tests, at the end of a log
_LINES = 12  # of an assertion
_CHARACTERS = 240  # of a line of it
_STAGES = {"earlierAttempts": "earlier attempts"}  # the others are words already


@dataclass(frozen=True)
class FailedTest:
    """One test that failed."""

    name: str
    place: str  # `file:line`, where that is known
    assertion: str


@dataclass(frozen=True)
class Answer:
    """What a job came to, besides its end."""

    failures: tuple[FailedTest, ...] = ()
    failed: int = 0  # all of them: `failures` may be the first ones only
    tests: str = ""  # "2/3 failed"
    missing: str = ""  # what of the results was not collected
    spent: Mapping[str, int] | None = None  # seconds, by stage
    flaky: str = ""  # the job that ran the same and ended the other way
    flaky_phase: str = ""
    retry_of: str = ""
    retry_tests: int = 0  # so many failed tests of that one; 0: all of it
    can_retry_failed: bool = False

    def times(self) -> str:
        """Where the time went: `queued 2s, running 9s`, without what took none."""
        return ", ".join(
            f"{_STAGES.get(stage, stage)} {format_duration(seconds)}"
            for stage, seconds in (self.spent or {}).items()
            if seconds
        )

    def facts(self) -> Iterator[str]:
        """What else is to be said of its end, in a few words each."""
        if self.tests:
            yield f"tests: {self.tests}"
        if self.retry_of:
            some = f"{counted(self.retry_tests, 'failed test')} of " if self.retry_tests else ""
            yield f"a retry of {some}{self.retry_of}"
        if self.flaky:
            verdict = self.flaky_phase.lower() or "ended the other way"
            yield f"flaky: {self.flaky} ran the same and {verdict}"

    def lines(self, most: int = SHOWN) -> Iterator[str]:
        """The failed tests with their assertions, a line each; of many only the first."""
        for test in self.failures[:most]:
            place = f" ({test.place})" if test.place and test.place not in test.name else ""
            yield f"failed: {test.name}{place}"
            for line in _shortened(test.assertion):
                yield f"    {line}"

    def more(self, most: int = SHOWN) -> int:
        """How many failed besides those lines."""
        return self.failed - len(self.failures[:most])


def read_answer(data: Mapping[str, Any]) -> Answer:
    """The gateway's outcome of a job."""
    tests, flaky = data.get("tests") or {}, data.get("flaky") or {}
    collection = data.get("collection") or {}
    return Answer(
        failures=tuple(_failed(one) for one in tests.get("failures") or ()),
        failed=(tests.get("failed") or 0) + (tests.get("errors") or 0),
        tests=tests.get("summary") or "",
        missing=_missing(collection),
        spent=data.get("spent"),
        flaky=flaky.get("name") or "",
        flaky_phase=flaky.get("phase") or "",
        retry_of=data.get("retryOf") or "",
        retry_tests=data.get("retryTests") or 0,
        can_retry_failed=bool(data.get("canRetryFailed")),
    )


def _failed(one: Mapping[str, Any]) -> FailedTest:
    file, line = one.get("file") or "", one.get("line")
    place = f"{file}:{line}" if file and line else file
    return FailedTest(one.get("name") or "", place, one.get("message") or "")


def _missing(collection: Mapping[str, Any]) -> str:
    state = collection.get("state") or "Complete"
    if state == "Complete":
        return ""
    words = "were not collected" if state == "Failed" else "are not complete"
    return f"the results {words}: {collection.get('message') or 'no reason given'}"


def _shortened(assertion: str) -> Iterator[str]:
    lines = assertion.splitlines()
    for line in lines[:_LINES]:
        yield line if len(line) <= _CHARACTERS else line[: _CHARACTERS - 1] + "…"
    if len(lines) > _LINES:
        yield f"… {counted(len(lines) - _LINES, 'more line')}"
