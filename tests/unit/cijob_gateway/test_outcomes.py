"""A job's outcome is put together from its status at the moment it is asked for."""

from typing import Any

from cijob_api.objects import CIJob
from cijob_gateway.outcomes import known_failures, outcome
from cijob_gateway.reports import Failed

TESTS = {
    "summary": "1/3 failed",
    "total": 3,
    "failed": 1,
    "errors": 0,
    "skipped": 1,
    "firstFailures": [{"name": "a.py::t", "file": "a.py", "line": 3, "message": "1 == 2"}],
}


def job(notes: dict[str, str] | None = None, **status: Any) -> CIJob:
    metadata = {"name": "a", "annotations": notes or {}}
    return CIJob.parse({"metadata": metadata, "spec": {}, "status": status})


def said(found: CIJob, failures: list[Failed] | None = None) -> dict[str, Any]:
    known = known_failures(found) if failures is None else failures
    return outcome(found, known).model_dump(mode="json", by_alias=True, exclude_none=True)


def test_a_job_that_says_nothing_has_an_empty_outcome() -> None:
    assert said(job()) == {"spent": {}, "canRetryFailed": False}


def test_tests_have_their_counts_and_the_failures_that_are_given() -> None:
    found = job(results={"tests": TESTS})
    counts = {key: value for key, value in TESTS.items() if key != "firstFailures"}
    assert said(found)["tests"] == {**counts, "failures": TESTS["firstFailures"]}
    more = [Failed(f"b.py::t{n}", f"b.py::t{n}", "", None, "") for n in range(20)]
    assert said(found, more)["tests"]["failures"] == [{"name": one.name} for one in more]


def test_what_was_not_collected_is_said() -> None:
    collection = {"attempt": 1, "state": "Failed", "message": "killed"}
    assert said(job(results={"collection": collection}))["collection"] == {
        "state": "Failed",
        "message": "killed",
    }


def test_a_retry_names_its_job_and_how_many_tests_of_it() -> None:
    whole = said(job({"cijob.dev/retry-of": "b"}))
    assert (whole["retryOf"], whole.get("retryTests")) == ("b", None)
    some = said(job({"cijob.dev/retry-of": "b", "cijob.dev/retry-tests": "2"}))
    assert (some["retryOf"], some["retryTests"]) == ("b", 2)
    forged = said(job({"cijob.dev/retry-of": "b", "cijob.dev/retry-tests": "²"}))
    assert "retryTests" not in forged
