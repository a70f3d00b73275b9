"""What a caller is told, and that no two problems look alike."""

from collections.abc import Iterator

import pytest

from cijob_gateway import errors
from cijob_kube import errors as kube


def kinds(kind: type[errors.Problem] = errors.Problem) -> Iterator[type[errors.Problem]]:
    yield kind
    for below in kind.__subclasses__():
        yield from kinds(below)


def test_every_problem_has_a_slug_of_its_own() -> None:
    slugs = [kind.slug for kind in kinds()]
    assert len(slugs) == len(set(slugs)) == 18


def test_a_document_is_as_rfc_9457_says() -> None:
    problem = errors.SourceTooLarge("312 MiB, the limit is 200 MiB", limitBytes=5)
    assert problem.document() == {
        "type": "https://cijob.dev/problems/source-too-large",
        "title": "The source is too large",
        "status": 413,
        "detail": "312 MiB, the limit is 200 MiB",
        "limitBytes": 5,
    }


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (kube.Invalid(422, "Invalid", "spec.x"), errors.Invalid),
        (kube.Gone(404, "NotFound", "no"), errors.NotFound),
        (kube.AlreadyExists(409, "AlreadyExists", "there"), errors.NameTaken),
        (kube.Conflict(409, "Conflict", "changed"), errors.Down),
        (kube.Denied(403, "Forbidden", "no"), errors.Forbidden),
        (kube.Unavailable(0, "", "away"), errors.Down),
    ],
)
def test_each_answer_of_the_api_server_has_one_problem(
    answer: kube.ApiError, problem: type[errors.Problem]
) -> None:
    assert type(errors.problem_of(answer)) is problem
