"""A job that runs some tests only: a variable for a script, arguments for pytest, or a refusal."""

import pytest

from cijob_api.specs import Recipe
from cijob_gateway.errors import BadRequest
from cijob_gateway.failedtests import only

IDS = ["tests/test_a.py::test_one[1-x]", "tests/sub/test_b.py"]
ALSO = ["-k", "tests", "-n", "2"]
SCRIPT = Recipe(script="echo $CIJOB_TESTS")


def test_a_script_that_reads_the_variable_gets_it_and_keeps_its_arguments() -> None:
    spec = {"args": ["-x"], "env": [{"name": "A", "value": "1"}], "image": "i"}
    assert only(spec, SCRIPT, IDS) == {
        "args": ["-x"],
        "image": "i",
        "env": [
            {"name": "A", "value": "1"},
            {"name": "CIJOB_TESTS", "value": "\n".join(IDS)},
        ],
    }


def test_a_retry_of_a_retry_names_its_own_tests() -> None:
    spec = {"env": [{"name": "CIJOB_TESTS", "value": "tests/test_old.py"}]}
    assert only(spec, SCRIPT, IDS[:1])["env"] == [{"name": "CIJOB_TESTS", "value": IDS[0]}]


def test_a_dollar_arrives_as_it_is() -> None:
    """Kubernetes replaces `$(NAME)` in variables and arguments."""
    hostile = ["test_a.py::test_a[$(HOME)]"]
    assert only({}, SCRIPT, hostile)["env"][0]["value"] == "test_a.py::test_a[$$(HOME)]"
    assert only({}, Recipe(command=["pytest"]), hostile)["args"] == ["test_a.py::test_a[$$(HOME)]"]


@pytest.mark.parametrize(
    ("command", "args", "begin", "kept"),
    [
        (["pytest"], [], 1, []),
        (["/opt/bin/pytest", "-q"], ["--tb=short"], 1, ["-q", "--tb=short"]),
        (["python3.12", "-m", "pytest", "tests"], [], 3, []),
        (
            ["python", "-m", "pytest"],
            ["-k", "tests", "-n", "2", "."],
            3,
            ["-k", "tests", "-n", "2"],
        ),
        (["pytest", "tests/sub", "tests/test_a.py::test_one", "other"], [], 1, []),
        (["pytest", "--junitxml", "r.xml", "tests"], [], 1, ["--junitxml", "r.xml"]),
        (["pytest", "--verbose", "tests"], [], 1, ["--verbose"]),
    ],
)
def test_pytest_gets_them_in_the_place_of_what_chose_tests(
    command: list[str], args: list[str], begin: int, *, kept: list[str]
) -> None:
    again = only({"command": command, "args": args}, Recipe(command=command, args=args), IDS)
    assert again == {"command": command[:begin], "args": [*kept, *IDS]}


@pytest.mark.parametrize(
    "said",
    [
        Recipe(script="pytest"),
        Recipe(command=["make", "test"]),
        Recipe(command=["sh", "-c", "pytest tests"]),
        Recipe(command=["python", "-m", "unittest"]),
        Recipe(),
    ],
)
def test_what_is_not_known_to_be_pytest_is_refused_with_what_to_do(said: Recipe) -> None:
    with pytest.raises(BadRequest, match="run the whole job again, without --failed"):
        only({}, said, IDS)


@pytest.mark.parametrize("said", [SCRIPT, Recipe(command=["pytest"])])
def test_too_many_are_refused_with_how_many(said: Recipe) -> None:
    many = [f"tests/test_{number}.py::test_a" for number in range(2000)]
    with pytest.raises(BadRequest, match="2000 tests failed, more than"):
        only({}, said, many)
