"""One JUnit report is read in portions; what is hostile or broken ends it with words."""

import re
import tracemalloc
from collections.abc import Iterable

import pytest

from cijob_gateway.junit import Case, Limits, Malformed, Outcome, Reading, portions


def read(content: bytes, limits: Limits | None = None, size: int = 64) -> list[Case]:
    reading = Reading(limits or Limits())
    cases = []
    for start in range(0, len(content), size):
        cases += reading.feed(content[start : start + size])
    return cases + reading.finish()


def outcomes(cases: Iterable[Case]) -> dict[str, Outcome]:
    return {case.name: case.outcome for case in cases}


def test_suites_in_suites_are_one_list_of_cases() -> None:
    cases = read(
        b"""<?xml version="1.0"?><testsuites name="all"><testsuite name="outer" file="a.js">
        <testcase name="one"/><testsuite name="inner"><testcase name="two"/></testsuite>
        <testcase name="three" file="b.js"/></testsuite></testsuites>"""
    )
    assert [(case.name, case.file) for case in cases] == [
        ("one", "a.js"),
        ("two", "a.js"),
        ("three", "b.js"),
    ]


def test_a_single_suite_needs_no_suites_around_it() -> None:
    assert [case.name for case in read(b'<testsuite><testcase name="a"/></testsuite>')] == ["a"]


def test_each_outcome_is_an_element_in_the_case() -> None:
    cases = read(
        b"""<testsuite><testcase name="p"/><testcase name="f"><failure message="m">b</failure>
        </testcase><testcase name="e"><error/></testcase><testcase name="s"><skipped/></testcase>
        <testcase name="g" status="notrun"/></testsuite>"""
    )
    assert outcomes(cases) == {
        "p": "passed",
        "f": "failed",
        "e": "error",
        "s": "skipped",
        "g": "skipped",
    }
    assert (cases[1].message, cases[1].body) == ("m", "b")


def test_a_case_that_failed_twice_has_the_first_words_and_the_graver_outcome() -> None:
    [case] = read(
        b"""<testsuite><testcase name="t"><failure message="1 == 2">call</failure>
        <error message="cannot close">teardown</error></testcase></testsuite>"""
    )
    assert (case.outcome, case.message, case.body) == (Outcome.ERROR, "1 == 2", "call")


def test_what_was_run_again_and_passed_has_passed() -> None:
    [case] = read(
        b'<testsuite><testcase name="t"><flakyFailure message="m"/></testcase></testsuite>'
    )
    assert case.outcome == Outcome.PASSED


def test_namespaces_are_ignored() -> None:
    [case] = read(b'<testsuite xmlns="urn:x"><testcase name="a"><error/></testcase></testsuite>')
    assert case.outcome == Outcome.ERROR


def test_missing_attributes_are_empty_not_errors() -> None:
    [case] = read(b"<testsuite><testcase><failure/></testcase></testsuite>")
    assert case == Case("(without a name)", outcome=Outcome.FAILED)


@pytest.mark.parametrize("line", ["-1", "x", "9" * 40, "٣", ""])
def test_a_line_that_is_no_number_is_none(line: str) -> None:
    [case] = read(f'<testsuite><testcase name="a" line="{line}"/></testsuite>'.encode())
    assert case.line is None


BOMB = b"""<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;">]>
<testsuite><testcase name="&b;"/></testsuite>"""
OUTSIDE = b"""<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]>
<testsuite><testcase name="a"><failure>&a;</failure></testcase></testsuite>"""


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "it is empty"),
        (b"collected 3 items", "no well-formed XML: syntax error"),
        (b"<html><body>502</body></html>", "no JUnit: it begins with <html>"),
        (b'<testsuite><testcase name="a"/><testcase>', "it breaks off after 1 cases"),
        (b"<testsuite>\xff\xfe</testsuite>", "not well-formed (invalid token)"),
        (b'<?xml version="1.0" encoding="x-none"?><testsuite/>', "unknown encoding"),
        (b'<?xml version="1.0" encoding="shift_jis"?><testsuite/>', "multi-byte encodings"),
        (BOMB, "a DTD or entities"),
        (OUTSIDE, "a DTD or entities"),
        (b'<!DOCTYPE testsuite SYSTEM "http://x/"><testsuite/>', "a DTD or entities"),
        (b"<testsuite>" * 33, "nested deeper than 32"),
        (b'<testsuite a="1" a="2"/>', "duplicate attribute"),
    ],
)
@pytest.mark.parametrize("size", [1, 64, 1 << 20])
def test_what_is_no_report_is_said_in_words(content: bytes, words: str, size: int) -> None:
    with pytest.raises(Malformed, match=re.escape(words)):
        read(content, size=size)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "latin-1"])
def test_encodings_that_are_declared_or_marked_are_read(encoding: str) -> None:
    declared = "latin-1" if encoding == "latin-1" else encoding[:6].rstrip("-")
    text = f'<?xml version="1.0" encoding="{declared}"?><testsuite><testcase name="é"/></testsuite>'
    assert [case.name for case in read(text.encode(encoding))] == ["é"]


def test_cases_before_a_fault_are_kept() -> None:
    reading = Reading(Limits())
    with pytest.raises(Malformed):
        reading.feed(b'<testsuite><testcase name="a"/><testcase name="b"/><broken <')
    assert [case.name for case in reading.rest()] == ["a", "b"]


def test_only_so_many_cases_are_read() -> None:
    case = b'<testcase name="a"/>'
    assert len(read(b"<testsuite>" + case * 3 + b"</testsuite>", Limits(cases=3))) == 3
    reading = Reading(Limits(cases=3))
    with pytest.raises(Malformed, match="only its first 3 cases"):
        reading.feed(b"<testsuite>" + case * 4)
    assert (len(reading.rest()), reading.cases) == (3, 3)


def test_elements_and_attributes_that_are_no_cases_have_a_limit_too() -> None:
    content = b'<testsuite><testcase name="a"/>' + b'<a b="c"/>' * 3 + b"</testsuite>"
    assert len(read(content, Limits(marks=9))) == 1
    with pytest.raises(Malformed, match="only its first 1 cases were read: it has more than 8 el"):
        read(content, Limits(marks=8))


def test_what_the_parser_remembers_has_a_limit() -> None:
    many = "".join(f"<a{number}/>" for number in range(3)) + '<a0 x="" y=""/>' * 9
    content = f"<testsuite>{many}</testsuite>".encode()
    assert read(content, Limits(names=6)) == []
    with pytest.raises(Malformed, match="more than 5 names of elements and attributes"):
        read(content, Limits(names=5))


@pytest.mark.parametrize("what", [b"<!--%s-->", b"<a b='%s'/>", b"<%s/>", b"<?x %s?>"])
def test_one_tag_or_comment_has_a_limit_in_bytes(what: bytes) -> None:
    limits = Limits(mark_bytes=1000)
    with pytest.raises(Malformed, match="a tag or a comment of more than"):
        read(b"<testsuite>" + what % (b"x" * 2000) + b"</testsuite>", limits)
    assert read(b"<testsuite>" + what % (b"x" * 800) + b"</testsuite>", limits) == []


@pytest.mark.parametrize("what", [b"%s", b"<![CDATA[%s]]>", b"<b>%s</b>"])
def test_text_may_be_long(what: bytes) -> None:
    limits = Limits(mark_bytes=10_000)
    text = what % (b"x" * 100_000)
    content = b"<testsuite><testcase><system-out>" + text + b"</system-out></testcase></testsuite>"
    assert len(read(content, limits)) == 1


def test_long_texts_are_cut() -> None:
    long = "x" * 500
    content = f'<testsuite><testcase name="{long}"><failure message="{long}">{long}</failure>'
    [case] = read(f"{content}</testcase></testsuite>".encode(), Limits(text=100))
    assert [len(text) for text in (case.name, case.message, case.body)] == [100, 100, 100]


@pytest.mark.process
def test_memory_does_not_grow_with_the_report() -> None:
    noise = b"<a/><property name='p' value='v'/>" * 200 + b"<system-out>" + b"x" * 5000
    case = b'<testcase name="a">' + noise + b"</system-out></testcase>"
    tracemalloc.start()
    try:
        reading, count = Reading(Limits()), 0
        reading.feed(b"<testsuite>")
        for _ in range(200):  # 2.4 MB
            for portion in portions(case):
                count += len(reading.feed(portion))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert count == 200
    assert peak < 1_000_000
