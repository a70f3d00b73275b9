"""What the API server's answers mean, and who must act."""

import pytest

from cijob_kube.api import is_quota
from cijob_kube.errors import (
    TIMEOUT,
    AlreadyExists,
    ApiError,
    Conflict,
    Denied,
    Gone,
    Invalid,
    Unavailable,
    from_status,
)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, Invalid),
        (401, Denied),
        (403, Denied),
        (404, Gone),
        (409, Conflict),
        (410, Gone),
        (413, Invalid),
        (422, Invalid),
        (429, Unavailable),
        (500, Unavailable),
        (503, Unavailable),
        (504, Unavailable),
    ],
)
def test_an_answer_is_the_error_of_its_status(status: int, kind: type[ApiError]) -> None:
    error = from_status(status, {"reason": "Some", "message": "some words"})
    assert type(error) is kind
    assert (error.status, error.reason, error.message) == (status, "Some", "some words")
    assert str(error) == "some words"


def test_an_object_that_is_there_already_is_no_conflict() -> None:
    there: dict[str, object] = {"reason": "AlreadyExists"}
    assert type(from_status(409, there, creating=True)) is AlreadyExists
    assert type(from_status(409, {"reason": "Conflict"}, creating=True)) is Conflict
    assert type(from_status(409, there)) is Conflict


def test_an_answer_without_words_has_some() -> None:
    assert from_status(502, {}).message == "the API server answered 502"


@pytest.mark.parametrize(
    ("status", "message", "quota"),
    [
        (403, 'pods "a-1" is forbidden: exceeded quota: team, requested: pods=1', True),
        (403, 'pods "a-1" is forbidden: violates PodSecurity "restricted:latest"', False),
        (500, "exceeded quota", False),
    ],
)
def test_a_quota_is_known_by_its_words(status: int, message: str, *, quota: bool) -> None:
    assert is_quota(from_status(status, {"message": message})) is quota


def test_who_was_reached_and_says_nothing_is_not_away() -> None:
    assert Unavailable(0, "", "connection refused").is_away
    assert not Unavailable(0, TIMEOUT, "no answer").is_away
    assert not Unavailable(503, "ServiceUnavailable", "busy").is_away
