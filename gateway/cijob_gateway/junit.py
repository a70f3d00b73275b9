"""JUnit XML as it comes from untrusted Pods: its cases, one after the other. Pure, and bounded.

Used by `reports`. Read in portions and never as a tree: a case is all that is kept. No DTD, no
entity; what is too large, too deep or no XML ends the reading with the words for it. There is no
standard: pytest, surefire, gotestsum and jest-junit each leave out what they like.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from xml.etree.ElementTree import ParseError

from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser

ROOTS = {"testsuites", "testsuite"}
PORTION_BYTES = 64 * 1024
# By pytest's plug-in of the template `test`, in a case's properties: the node id as pytest has it.
NODE_ID = "cijob.nodeid"


class Outcome(StrEnum):
    """How a case ended."""

    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"
    SKIPPED = "skipped"


_OUTCOMES = {"failure": Outcome.FAILED, "error": Outcome.ERROR, "skipped": Outcome.SKIPPED}
_GRAVITY = (Outcome.PASSED, Outcome.SKIPPED, Outcome.FAILED, Outcome.ERROR)


class Malformed(Exception):
    """A report that is no JUnit, or no further; in words."""


@dataclass(frozen=True)
class Limits:
    """How much of one report is read."""

    depth: int = 32  # suites in suites
    text: int = 8000  # characters of a name, a message or a body
    cases: int = 200_000
    marks: int = 2_000_000  # elements and attributes: each costs its time, whatever it says
    # The parser remembers every name; dialects have some fifty.
    names: int = 1000
    # One tag, comment or value: it is in memory, and begun anew with each portion that comes.
    mark_bytes: int = 1024 * 1024


@dataclass(frozen=True)
class Case:
    """One test as a report has it; what a dialect leaves out is empty."""

    name: str
    classname: str = ""
    file: str = ""
    line: int | None = None
    node_id: str = ""
    outcome: Outcome = Outcome.PASSED
    message: str = ""  # what the report calls so
    body: str = ""  # the text of the failure: an assertion, a traceback, or both


@dataclass
class _Open:
    """A case that is being read."""

    attributes: dict[str, str]
    file: str
    properties: dict[str, str] = field(default_factory=dict)
    outcome: Outcome = Outcome.PASSED
    message: str = ""
    body: str = ""


class Reading:
    """One report, fed in portions: `feed` returns the cases that have come to their end.

    Its methods `start`, `data`, `end` and `close` are what the parser calls.
    """

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._parser = DefusedXMLParser(target=self, forbid_dtd=True)
        self._stack: list[str] = []
        self._files: list[str] = []  # of the suites that are open
        self._case: _Open | None = None
        self._text: list[str] | None = None  # of the failure that is open
        self._room = 0
        self._done: list[Case] = []
        self._names: set[str] = set()
        self._silent_bytes = 0  # since the parser has called
        self.cases = 0  # so far
        self.marks = 0

    def feed(self, portion: bytes) -> list[Case]:
        """More of it. Raises Malformed; `rest` then has the cases before the fault."""
        self._silent_bytes += len(portion)
        with _as_malformed():
            self._parser.feed(portion)
        if self._silent_bytes > self._limits.mark_bytes:
            most = self._limits.mark_bytes // 1024
            raise Malformed(f"it has a tag or a comment of more than {most} KiB")
        return self.rest()

    def finish(self) -> list[Case]:
        """There is no more of it. Raises Malformed."""
        try:
            self._parser.close()
        except ParseError:  # whoever wrote it was stopped
            words = f"it breaks off after {self.cases} cases" if self._stack else "it is empty"
            raise Malformed(words) from None
        return self.rest()

    def rest(self) -> list[Case]:
        """The cases that nobody took yet."""
        done, self._done = self._done, []
        return done

    # -- called by the parser -------------------------------------------------------------------

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """An element begins."""
        self._count(tag, attributes)
        tag = _local(tag)
        if not self._stack and tag not in ROOTS:
            raise Malformed(f"it is no JUnit: it begins with <{tag[:40]}>")
        self._stack.append(tag)
        if len(self._stack) > self._limits.depth:
            raise Malformed(f"elements are nested deeper than {self._limits.depth}")
        cut = {_local(key): self._cut(value) for key, value in attributes.items()}
        if tag == "testsuite":
            self._files.append(cut.get("file") or (self._files[-1] if self._files else ""))
        elif tag == "testcase":
            if self.cases >= self._limits.cases:
                raise Malformed(f"only its first {self.cases} cases were read")
            self._case = _Open(cut, self._files[-1] if self._files else "")
        elif self._case:
            self._begin_inside(self._case, tag, cut)

    def data(self, text: str) -> None:
        """Text; kept only of a failure, and so much of it."""
        self._silent_bytes = 0
        if self._text is not None and self._room > 0:
            self._text.append(text[: self._room])
            self._room -= len(text)

    def end(self, tag: str) -> None:
        """An element ends."""
        self._silent_bytes = 0
        tag = self._stack.pop()
        if tag == "testsuite":
            self._files.pop()
        elif tag == "testcase" and self._case:
            self._done.append(_case(self._case))
            self._case = None
            self.cases += 1
        elif tag in _OUTCOMES and self._case and self._text is not None:
            self._case.body = self._case.body or "".join(self._text)
            self._text = None

    def close(self) -> None:
        """The document ends."""

    def _count(self, tag: str, attributes: dict[str, str]) -> None:
        """Raises Malformed where there is more than is read."""
        self._silent_bytes = 0
        self.marks += 1 + len(attributes)
        self._names.add(tag)
        self._names.update(attributes)
        if self.marks > self._limits.marks:
            most = f"{self._limits.marks} elements and attributes"
            raise Malformed(f"only its first {self.cases} cases were read: it has more than {most}")
        if len(self._names) > self._limits.names:
            raise Malformed(
                f"it has more than {self._limits.names} names of elements and attributes"
            )

    def _begin_inside(self, case: _Open, tag: str, said: dict[str, str]) -> None:
        if tag == "property" and len(case.properties) < self._limits.depth:
            case.properties[said.get("name", "")] = said.get("value", "")
        outcome = _OUTCOMES.get(tag)
        if outcome is None:
            return
        # Failed in its call and again as it was torn down: the first message, the graver outcome.
        case.outcome = max(case.outcome, outcome, key=_GRAVITY.index)
        case.message = case.message or said.get("message", "")
        self._text, self._room = [], self._limits.text

    def _cut(self, text: str) -> str:
        return text[: self._limits.text]


class _as_malformed:  # noqa: N801 - used as a function is
    """Every way in which reading can fail, as Malformed."""

    def __enter__(self) -> None: ...

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, DefusedXmlException):
            raise Malformed("it has a DTD or entities, which no report needs") from None
        if isinstance(error, ParseError):
            raise Malformed(f"it is no well-formed XML: {error}") from None
        if isinstance(error, ValueError | LookupError):  # an encoding that nobody knows
            raise Malformed(f"it cannot be read: {str(error)[:200]}") from None


def _case(found: _Open) -> Case:
    said = found.attributes
    # googletest says it by an attribute.
    idle = said.get("status") in {"notrun", "disabled"} or said.get("result") == "suppressed"
    passed = found.outcome == Outcome.PASSED
    line = said.get("line") or said.get("lineno") or ""
    return Case(
        name=said.get("name") or "(without a name)",
        classname=said.get("classname") or said.get("class") or "",
        file=said.get("file") or said.get("filepath") or found.file,
        line=int(line) if re.fullmatch(r"\d{1,9}", line, re.ASCII) else None,
        node_id=found.properties.get(NODE_ID, ""),
        outcome=Outcome.SKIPPED if passed and idle else found.outcome,
        message=found.message,
        body=found.body,
    )


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def portions(content: bytes) -> Iterator[bytes]:
    """A report that is in memory, in portions."""
    for start in range(0, len(content), PORTION_BYTES):
        yield content[start : start + PORTION_BYTES]
