"""Names: a ULID sorts by time, and a job's name always fits into a Pod's name and a label."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cijob_api.fields import DNS_LABEL
from cijob_api.names import JOB_NAME_LENGTH, job_name, pod_name, ulid

TIMES = st.integers(min_value=0, max_value=2**48 - 1)
RANDOMNESS = st.binary(min_size=10, max_size=10)


def test_a_known_ulid() -> None:
    # The time part is the example of github.com/ulid/spec, in lower case.
    assert ulid(1469918176385, bytes(10)) == "01aryz6s41" + "0" * 16


def test_the_bounds_of_a_ulid() -> None:
    assert ulid(0, bytes(10)) == "0" * 26
    assert ulid(2**48 - 1, b"\xff" * 10) == "7" + "z" * 25


@pytest.mark.parametrize(
    ("milliseconds", "randomness"),
    [(-1, bytes(10)), (2**48, bytes(10)), (0, bytes(9)), (0, bytes(11)), (0, b"")],
)
def test_what_does_not_fit_into_a_ulid_is_refused(milliseconds: int, randomness: bytes) -> None:
    with pytest.raises(ValueError, match="48 bits of time"):
        ulid(milliseconds, randomness)


@given(TIMES, TIMES, RANDOMNESS, RANDOMNESS)
def test_ulids_sort_by_time_then_by_randomness(
    first: int, second: int, one: bytes, other: bytes
) -> None:
    as_text = ulid(first, one) < ulid(second, other)
    assert as_text == ((first, one) < (second, other))


@given(TIMES, RANDOMNESS)
def test_a_ulid_is_26_characters_without_look_alikes(time: int, randomness: bytes) -> None:
    assert re.fullmatch(r"[0-9abcdefghjkmnpqrstvwxyz]{26}", ulid(time, randomness))


@pytest.mark.parametrize(
    ("template", "part"),
    [
        (None, "run"),
        ("", "run"),
        ("python", "python"),
        ("Python 3.12", "python-3-12"),
        ("-python-", "python"),
        ("äöü", "run"),
        ("a" * 63, "a" * 25),
        ("a" * 24 + "-b", "a" * 24),
    ],
)
def test_a_job_is_named_after_its_template(template: str | None, part: str) -> None:
    assert job_name(template, 0, bytes(10)) == f"{part}-{'0' * 26}"


@given(st.none() | st.text(max_size=80), TIMES, RANDOMNESS)
def test_any_job_name_is_a_short_label(template: str | None, time: int, randomness: bytes) -> None:
    name = job_name(template, time, randomness)
    assert re.fullmatch(DNS_LABEL, name)
    assert len(name) <= JOB_NAME_LENGTH


def test_a_pod_of_the_longest_name_and_the_last_attempt_fits_into_a_label() -> None:
    assert len(pod_name("a" * JOB_NAME_LENGTH, 1000)) <= 63
