"""What a job's tests said, from its JUnit reports: counts, the first failures, all that failed.

Pure. Called at the end of a collection, whose status patch it fills, and by the routes that need
every failure. It takes seconds for the largest reports: call it in a thread. All reports of a job
together are bounded, since any job may say anything. What cannot be read is words for people, never
an error: the verdict of a job does not depend on its reports.
"""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import BinaryIO

from cijob_api.statuses import TestFailure, TestResult
from cijob_api.trimming import shorten
from cijob_gateway.junit import PORTION_BYTES, Case, Limits, Malformed, Outcome, Reading, portions

FIRST = 10
SHOWN_CHARACTERS = 600  # of an assertion, in the status; ten of them are trimmed further there
NAME_CHARACTERS = 300
MIB = 1024 * 1024

# As runners that know no message of their own fill in the attribute.
_SAYS_NOTHING = re.compile(r"(failed|failure|error|collection failure)?\.?", re.IGNORECASE)
_ASSERTION = re.compile(r"^E {3}(.*)$", re.MULTILINE)  # pytest's mark, in its tracebacks
# Not \s at its begin: lines that are empty would be looked through again from each of them.
_PLACE = re.compile(r"^[ \t]*([\w./\\-]+\.\w+):(\d{1,9}):", re.MULTILINE | re.ASCII)


@dataclass(frozen=True)
class Most:
    """How much of all reports of a job is read; `together.cases` and `.marks` are of all, too."""

    report_bytes: int = 16 * MIB
    bytes: int = 64 * MIB
    failures: int = 10_000  # that are kept by name; the others are counted
    characters: int = 4_000_000  # of what is kept
    messages: int = 100  # failures that keep their words; the others keep their names
    together: Limits = field(default_factory=Limits)


@dataclass(frozen=True)
class Failed:
    """One test that failed."""

    name: str
    node_id: str  # what pytest takes as an argument; empty if the report does not say it
    file: str
    line: int | None
    message: str


@dataclass(frozen=True)
class Parsed:
    """What the reports of one attempt say together."""

    tests: TestResult | None  # None: there was none
    failures: tuple[Failed, ...]  # the first of them, in the order of the reports
    trouble: tuple[str, ...]  # what could not be read: a sentence for each report

    @property
    def message(self) -> str | None:
        """What could not be read, for `results.collection`; None if all could."""
        return "; ".join(self.trouble) or None


def parse(files: Iterable[tuple[str, bytes | BinaryIO]], most: Most | None = None) -> Parsed:
    """Read reports, each with its name. Raises nothing but what reading a file raises."""
    told = _Told(most or Most())
    for name, content in files:
        if told.is_full:  # without asking for the others: each is in memory whole
            told.trouble.append(f"{name} and those behind it were not read: {told.limits}")
            break
        told.take(name, content)
    return Parsed(_result(told.counts, told.failures), tuple(told.failures), tuple(told.trouble))


class _Told:
    """What the reports have said so far, and how much more is listened to."""

    def __init__(self, most: Most) -> None:
        self._most = most
        self._left = most.together
        self._bytes_left = most.bytes
        self._characters_left = most.characters
        self.counts: Counter[Outcome] = Counter()
        self.failures: list[Failed] = []
        self.trouble: list[str] = []

    @property
    def is_full(self) -> bool:
        """Whether no further report would be read."""
        return min(self._bytes_left, self._left.cases, self._left.marks) <= 0

    @property
    def limits(self) -> str:
        """How much is listened to, in words."""
        most = self._most
        return (
            f"of all reports together {most.bytes // MIB} MiB are, {most.together.cases} cases,"
            f" and {most.together.marks} elements and attributes"
        )

    def take(self, name: str, content: bytes | BinaryIO) -> None:
        """One more report."""
        read = _Portions(content, min(self._most.report_bytes, self._bytes_left))
        reading = Reading(self._left)
        try:
            for case in _cases(read, reading):
                self.counts[case.outcome] += 1
                if case.outcome in {Outcome.FAILED, Outcome.ERROR}:
                    self._keep(case)
        except Malformed as error:
            self.trouble.append(f"{name}: {error}")
        self._bytes_left -= read.taken
        cases, marks = self._left.cases - reading.cases, self._left.marks - reading.marks
        self._left = replace(self._left, cases=cases, marks=marks)

    def _keep(self, case: Case) -> None:
        """A failure, while there is room; taken apart only then."""
        if len(self.failures) >= self._most.failures or self._characters_left <= 0:
            return
        failed = _failed(case, with_words=len(self.failures) < self._most.messages)
        self._characters_left -= sum(
            map(len, (failed.name, failed.node_id, failed.file, failed.message))
        )
        self.failures.append(failed)


def summary(result: TestResult) -> str:
    """For a column: `12/340 failed`, `340 passed`, `3 skipped`."""
    total, skipped = result.total or 0, result.skipped or 0
    broken = (result.failed or 0) + (result.errors or 0)
    if broken:
        return f"{broken}/{total} failed"
    return f"{total - skipped} passed" if total > skipped else f"{skipped} skipped"


def node_id(case: Case) -> str:
    """The test as pytest takes it as an argument, or empty.

    pytest's own reports name the file with `-o junit_family=xunit1` only: the class name has the
    module and the classes in one, with a dot between all of them, and cannot be taken apart.
    """
    if case.node_id or not case.file.endswith(".py"):
        return case.node_id
    module = case.file.removesuffix(".py").replace("/", ".")
    if not case.classname and case.name == module:
        return case.file  # it could not be collected
    if case.classname != module and not case.classname.startswith(module + "."):
        return ""  # a method of a base class in another file
    classes = case.classname[len(module) + 1 :]
    return "::".join([case.file, *(classes.split(".") if classes else ()), case.name])


class _Portions:
    """The portions of a report, up to a limit."""

    def __init__(self, content: bytes | BinaryIO, limit: int) -> None:
        self._content = content
        self._limit = limit
        self.taken = 0

    def __iter__(self) -> Iterator[bytes]:
        content = self._content
        chunks = (
            portions(content)
            if isinstance(content, bytes)
            else iter(lambda: content.read(PORTION_BYTES), b"")
        )
        for chunk in chunks:
            fits = chunk[: self._limit - self.taken]
            self.taken += len(fits)
            yield fits
            if len(fits) < len(chunk):
                raise Malformed(f"only its first {self._limit // 1024} KiB were read")


def _cases(content: Iterable[bytes], reading: Reading) -> Iterator[Case]:
    """The cases, those before a fault included. Raises Malformed."""
    try:
        for portion in content:
            yield from reading.feed(portion)
        yield from reading.finish()
    except Malformed:
        yield from reading.rest()
        raise


def _result(counts: Counter[Outcome], failures: list[Failed]) -> TestResult | None:
    if not counts:
        return None
    first = [
        TestFailure(
            name=shorten(one.name, NAME_CHARACTERS),
            file=shorten(one.file, NAME_CHARACTERS) or None,
            line=one.line,
            message=shorten(one.message, SHOWN_CHARACTERS) or None,
        )
        for one in failures[:FIRST]
    ]
    result = TestResult(
        total=counts.total(),
        failed=counts[Outcome.FAILED],
        errors=counts[Outcome.ERROR],
        skipped=counts[Outcome.SKIPPED],
        first_failures=first or None,
    )
    return result.model_copy(update={"summary": summary(result)})


def _failed(case: Case, *, with_words: bool) -> Failed:
    identity = node_id(case)
    file, line = _place(case)
    return Failed(
        identity or _full_name(case), identity, file, line, _assertion(case) if with_words else ""
    )


def _full_name(case: Case) -> str:
    """jest says the describe blocks in both, others a class or a package in the one."""
    if not case.classname or case.name.startswith(case.classname):
        return case.name
    return f"{case.classname}.{case.name}"


def _assertion(case: Case) -> str:
    """Why it failed: the report's message or, where that says nothing, the core of its text."""
    said = case.message.strip()
    if not _SAYS_NOTHING.fullmatch(said):
        return said
    return "\n".join(_ASSERTION.findall(case.body)).strip() or case.body.strip() or said


def _place(case: Case) -> tuple[str, int | None]:
    """File and line, from 1: where its text says that it failed, in its own file if it can be."""
    places = [(file, int(line)) for file, line in _PLACE.findall(case.body)]
    own = [place for place in places if place[0] == case.file]
    if own or (places and not case.file):
        return (own or places)[-1]
    if case.line is not None and case.file.endswith(".py"):
        return case.file, case.line + 1  # pytest counts from 0 there
    return case.file, case.line
