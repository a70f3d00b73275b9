"""Reports of several runners become counts, first failures, and what pytest takes as arguments."""

import io
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cijob_api.statuses import CIJobStatus, Results
from cijob_api.trimming import GATEWAY_BYTES, size_bytes, trim_status
from cijob_gateway.junit import Case, Limits
from cijob_gateway.reports import Failed, Most, Parsed, node_id, parse, summary

SUREFIRE = b"""<?xml version="1.0" encoding="UTF-8"?>
<testsuite xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" name="com.acme.BasketTest"
    time="0.05" tests="3" errors="1" skipped="0" failures="1"><properties/>
  <testcase name="addsUp" classname="com.acme.BasketTest" time="0.01">
    <failure message="expected: &lt;3&gt; but was: &lt;4&gt;"
        type="org.opentest4j.AssertionFailedError"><![CDATA[org.opentest4j.AssertionFailedError
        at com.acme.BasketTest.addsUp(BasketTest.java:12)]]></failure></testcase>
  <testcase name="opens" classname="com.acme.BasketTest" time="0">
    <error type="java.io.IOException"><![CDATA[java.io.IOException: no such file]]></error>
  </testcase>
  <testcase name="holds" classname="com.acme.BasketTest" time="0.001"/>
</testsuite>"""
GOTESTSUM = b"""<?xml version="1.0" encoding="UTF-8"?>
<testsuites tests="2" failures="1" errors="0" time="0.004">
  <testsuite tests="2" failures="1" time="0.004" name="example.com/basket" timestamp="x">
    <testcase classname="example.com/basket" name="TestSum/two" time="0.0">
      <failure message="Failed" type="">=== RUN   TestSum/two
    basket_test.go:12: got 4, want 3
--- FAIL: TestSum/two (0.00s)
</failure></testcase>
    <testcase classname="example.com/basket" name="TestEmpty" time="0.0"></testcase>
  </testsuite></testsuites>"""
JEST = b"""<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="jest tests" tests="2" failures="1" errors="0" time="0.6">
  <testsuite name="basket" errors="0" failures="1" skipped="1" file="src/basket.test.js" tests="2">
    <testcase classname="basket adds up" name="basket adds up" time="0.003">
      <failure>Error: expect(received).toBe(expected)

Expected: 3
Received: 4</failure></testcase>
    <testcase classname="basket is lazy" name="basket is lazy" time="0"><skipped/></testcase>
  </testsuite></testsuites>"""


def of(*reports: bytes) -> Parsed:
    return parse((f"{number}.xml", report) for number, report in enumerate(reports))


def counts(parsed: Parsed) -> tuple[int | None, ...]:
    tests = parsed.tests
    assert tests
    return tests.total, tests.failed, tests.errors, tests.skipped


def test_surefire() -> None:
    parsed = of(SUREFIRE)
    assert counts(parsed) == (3, 1, 1, 0)
    assert [(one.name, one.message) for one in parsed.failures] == [
        ("com.acme.BasketTest.addsUp", "expected: <3> but was: <4>"),
        ("com.acme.BasketTest.opens", "java.io.IOException: no such file"),
    ]


def test_gotestsum() -> None:
    parsed = of(GOTESTSUM)
    assert counts(parsed) == (2, 1, 0, 0)
    [failed] = parsed.failures
    assert failed.name == "example.com/basket.TestSum/two"
    assert (failed.file, failed.line) == ("basket_test.go", 12)
    assert "got 4, want 3" in failed.message


def test_jest() -> None:
    parsed = of(JEST)
    assert counts(parsed) == (2, 1, 0, 1)
    [failed] = parsed.failures
    assert (failed.name, failed.file) == ("basket adds up", "src/basket.test.js")
    assert failed.message.endswith("Received: 4")


def test_the_reports_of_a_job_are_counted_together() -> None:
    parsed = of(SUREFIRE, GOTESTSUM, JEST)
    assert counts(parsed) == (7, 3, 1, 1)
    assert parsed.tests
    assert parsed.tests.summary == "4/7 failed"


def test_a_report_may_come_as_a_file() -> None:
    parsed = parse([("a.xml", io.BytesIO(GOTESTSUM))])
    assert counts(parsed) == (2, 1, 0, 0)


def test_no_report_is_no_result() -> None:
    assert of() == Parsed(None, (), ())
    assert of(b"<testsuites/>") == Parsed(None, (), ())


def test_a_broken_report_is_words_and_the_others_count() -> None:
    parsed = of(b"<html/>", GOTESTSUM, b'<testsuite><testcase name="cut"/><testca')
    assert counts(parsed) == (3, 1, 0, 0)
    assert parsed.message == (
        "0.xml: it is no JUnit: it begins with <html>; 2.xml: it breaks off after 1 cases"
    )


def test_what_is_too_large_is_said_and_counted_so_far() -> None:
    case = b'<testcase name="a"/>'  # 20 bytes
    large = b"<testsuite>" + case * 10_000 + b"</testsuite>"
    parsed = parse([("a.xml", large), ("b.xml", large)], Most(report_bytes=102_400, bytes=153_600))
    assert parsed.trouble == (
        "a.xml: only its first 100 KiB were read",
        "b.xml: only its first 50 KiB were read",
    )
    assert counts(parsed) == (5119 + 2559, 0, 0, 0)


def test_only_the_first_failures_keep_their_words() -> None:
    case = b'<testcase name="a"><failure message="m"/></testcase>'
    parsed = parse([("a.xml", b"<testsuite>" + case * 12 + b"</testsuite>")], Most(messages=3))
    assert [one.message for one in parsed.failures] == ["m"] * 3 + [""] * 9
    assert parsed.tests
    assert len(parsed.tests.first_failures or ()) == 10


def suite(*cases: str) -> bytes:
    return f"<testsuite>{''.join(cases)}</testsuite>".encode()


FAILED = '<testcase name="a"><failure message="m"/></testcase>'


def test_cases_are_limited_over_all_reports_and_no_further_report_is_asked_for() -> None:
    asked = []

    def reports() -> Iterator[tuple[str, bytes]]:
        for number in range(9):
            asked.append(number)
            yield f"{number}.xml", suite(*[FAILED] * 3)

    parsed = parse(reports(), Most(together=Limits(cases=5)))
    assert counts(parsed) == (5, 5, 0, 0)
    assert asked == [0, 1, 2]
    of_all = "of all reports together 64 MiB are, 5 cases, and 2000000 elements and attributes"
    assert parsed.trouble == (
        "1.xml: only its first 2 cases were read",
        f"2.xml and those behind it were not read: {of_all}",
    )


def test_elements_are_limited_over_all_reports() -> None:
    noise = suite("<a/>" * 7)
    parsed = parse([("a.xml", noise), ("b.xml", noise)], Most(together=Limits(marks=10)))
    assert parsed.trouble == (
        "b.xml: only its first 0 cases were read: it has more than 2 elements and attributes",
    )


@pytest.mark.parametrize("most", [Most(failures=4), Most(characters=4 * len("am"))])
def test_failures_that_have_no_room_are_counted(most: Most) -> None:
    parsed = parse([("a.xml", suite(FAILED * 3)), ("b.xml", suite(FAILED * 3))], most)
    assert counts(parsed) == (6, 6, 0, 0)
    assert [one.message for one in parsed.failures] == ["m"] * 4
    assert parsed.trouble == ()


def test_a_place_stands_behind_empty_lines_which_are_looked_at_once() -> None:
    # Looked at from each other one, eight thousand took 0.6 s, and held up everything.
    case = "<testcase><error>" + "\n" * 7900 + "  \ta.py:7: words</error></testcase>"
    parsed = of(suite(case * 500))
    assert {(one.file, one.line) for one in parsed.failures} == {("a.py", 7)}
    assert len(parsed.failures) == 500


def test_the_result_fits_into_the_gateways_share_of_the_status() -> None:
    case = f'<testcase name="{"n" * 900}"><failure message="{"é" * 5000}"/></testcase>'
    parsed = of(f"<testsuite>{case * 20}</testsuite>".encode())
    status = trim_status(CIJobStatus(results=Results(tests=parsed.tests)), GATEWAY_BYTES)
    assert size_bytes(status) <= GATEWAY_BYTES
    assert status.results
    assert status.results.tests
    assert status.results.tests.first_failures
    assert counts(parsed) == (20, 20, 0, 0)


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ((340, 0, 0, 0), "340 passed"),
        ((340, 0, 0, 40), "300 passed"),
        ((340, 10, 2, 40), "12/340 failed"),
        ((3, 0, 0, 3), "3 skipped"),
    ],
)
def test_the_summary_is_a_column(numbers: tuple[int, int, int, int], words: str) -> None:
    total, failed, errors, skipped = numbers
    parsed = of(
        b"<testsuite>"
        + b'<testcase name="f"><failure/></testcase>' * failed
        + b'<testcase name="e"><error/></testcase>' * errors
        + b'<testcase name="s"><skipped/></testcase>' * skipped
        + b'<testcase name="p"/>' * (total - failed - errors - skipped)
        + b"</testsuite>"
    )
    assert parsed.tests
    assert parsed.tests.summary == summary(parsed.tests) == words


@pytest.mark.parametrize(
    ("case", "identity"),
    [
        (Case("test_a", "tests.test_x", "tests/test_x.py"), "tests/test_x.py::test_a"),
        (Case("test_a[1.5-x]", "test_x", "test_x.py"), "test_x.py::test_a[1.5-x]"),
        (
            Case("test_a", "t.test_x.TestA.TestB", "t/test_x.py"),
            "t/test_x.py::TestA::TestB::test_a",
        ),
        (Case("test_a", "my.pkg.test_x", "my.pkg/test_x.py"), "my.pkg/test_x.py::test_a"),
        (Case("tests.test_x", "", "tests/test_x.py"), "tests/test_x.py"),
        (Case("test_a", "tests.test_x.TestA", "tests/shared.py"), ""),
        (Case("test_a", "tests.test_x"), ""),
        (Case("adds", "com.acme.T", "T.java"), ""),
        (Case("x", "y", "z.py", node_id="a/b.py::T::x"), "a/b.py::T::x"),
    ],
)
def test_a_node_id_is_put_together_only_where_it_is_certain(case: Case, identity: str) -> None:
    assert node_id(case) == identity


PYTEST = """
import pytest

@pytest.fixture
def broken():
    raise RuntimeError("no database")

@pytest.mark.parametrize("value", ["a.b::c", "x[1]", "é", "a/b"])
def test_parametrised(value):
    assert value == "right"

class TestOuter:
    class TestInner:
        def test_deep(self):
            assert 1 + 1 == 3, "sums"

def test_setup(broken): ...
def test_fine(): ...
"""


@pytest.mark.process
def test_pytests_own_report_gives_its_node_ids(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_x.py").write_text(PYTEST)
    (tmp_path / "tests" / "test_y.py").write_text("import nothing_of_that_name")
    options = ["--junitxml=r.xml", "-o", "junit_family=xunit1", "--continue-on-collection-errors"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *options, "-rfE"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    parsed = parse([("r.xml", (tmp_path / "r.xml").read_bytes())])
    assert counts(parsed) == (8, 5, 2, 0)
    said = {
        line.split(" ", 1)[1].split(" - ")[0]
        for line in done.stdout.splitlines()
        if line.startswith(("FAILED ", "ERROR tests"))
    }
    assert {one.node_id for one in parsed.failures} == said
    deep = next(one for one in parsed.failures if "test_deep" in one.name)
    assert deep == Failed(
        "tests/test_x.py::TestOuter::TestInner::test_deep",
        "tests/test_x.py::TestOuter::TestInner::test_deep",
        "tests/test_x.py",
        15,
        "AssertionError: sums\nassert (1 + 1) == 3",
    )
    collecting = next(one for one in parsed.failures if one.name == "tests/test_y.py")
    assert "No module named 'nothing_of_that_name'" in collecting.message
