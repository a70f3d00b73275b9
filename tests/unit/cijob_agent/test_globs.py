"""Which paths a glob matches, name by name."""

import pytest

from cijob_agent.globs import Glob, is_glob


def matches(glob: str, path: str) -> bool:
    found = Glob(glob.split("/"))
    places = found.begin
    for name in path.split("/"):
        places = found.after(places, name)
    return found.matches(places)


@pytest.mark.parametrize(
    ("glob", "path", "expected"),
    [
        ("*.xml", "junit.xml", True),
        ("*.xml", "reports/junit.xml", False),
        ("*/junit.xml", "reports/junit.xml", True),
        ("**/*.xml", "junit.xml", True),
        ("**/*.xml", "a/b/c/junit.xml", True),
        ("a/**/b", "a/b", True),
        ("a/**/b", "a/x/y/b", True),
        ("a/**/b", "a/x/y/c", False),
        ("a/**", "a", True),
        ("a/**", "a/b/c", True),
        ("**", "anything/at/all", True),
        ("**/a/**/b", "a/a/b/b", True),
        ("dist/*.wh[lm]", "dist/x.whl", True),
        ("dist/?", "dist/ab", False),
        ("*", ".git", False),
        (".*", ".git", True),
        ("**/config", ".git/config", False),
        (".git/**/config", ".git/config", True),
        ("*", "two\nlines", True),
        ("caf?", "caf\udce9", True),
        ("[!a]*", "b", True),
    ],
)
def test_a_path_matches(glob: str, path: str, expected: bool) -> None:  # noqa: FBT001
    assert matches(glob, path) == expected


def test_a_glob_that_repeats_itself_takes_no_time() -> None:
    assert not matches("/".join(["**", "*a*a*a*a*a*a*b"] * 20), "/".join(["a" * 200] * 50))


def test_what_is_a_glob() -> None:
    assert [path for path in ("a", "a*", "a?", "[a]", "a{b}") if is_glob(path)] == [
        "a*",
        "a?",
        "[a]",
    ]
