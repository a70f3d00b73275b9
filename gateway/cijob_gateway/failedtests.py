"""Running again only the tests that failed: what has to change in a job for it. Pure.

Used by the route that retries a job. A script that reads CIJOB_TESTS, as that of template `test`,
is told them by this variable and keeps its own arguments; a command that is pytest gets them as its
arguments, in the place of those that chose among the tests before.
"""

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from cijob_api import names
from cijob_api.specs import Recipe
from cijob_gateway.errors import BadRequest
from cijob_gateway.watches import Json

MOST_BYTES = 32_000  # a variable's value has room for 32,768 characters
MOST_ARGUMENTS = 128
MOST_ARGUMENT = 4096
# Options of pytest whose value is the next word.
_WITH_VALUE = {"-k", "-m", "-p", "-c", "-o", "-n", "-W", "-r"}


def only(spec: Json, said: Recipe, node_ids: Sequence[str]) -> Json:
    """The spec of a job that runs these tests of it only.

    `said` is the spec merged with its template. Raises BadRequest with what to do instead.
    """
    if said.script and names.ENV_TESTS in said.script:
        text = _verbatim("\n".join(node_ids))
        if len(text) > MOST_BYTES:
            raise _too_many(node_ids)
        env = [one for one in spec.get("env") or [] if one["name"] != names.ENV_TESTS]
        return {**spec, "env": [*env, {"name": names.ENV_TESTS, "value": text}]}
    words = said.command or []
    begin = _behind_pytest(words)
    if begin is None:
        raise BadRequest(
            "the job runs neither template test nor pytest itself, so its tests cannot be chosen; "
            "run the whole job again, without --failed"
        )
    files = [one.partition("::")[0] for one in node_ids]
    options = _options([*words[begin:], *(said.args or [])], files)
    chosen = [*options, *map(_verbatim, node_ids)]
    if len(chosen) > MOST_ARGUMENTS or any(len(one) > MOST_ARGUMENT for one in chosen):
        raise _too_many(node_ids)
    return {**spec, "command": words[:begin], "args": chosen}


def _behind_pytest(words: Sequence[str]) -> int | None:
    """Where pytest's own arguments begin in a command; None if it is not pytest."""
    first = PurePosixPath(words[0]).name if words else ""
    if first in {"pytest", "py.test"}:
        return 1
    python = re.fullmatch(r"python[\d.]*", first)
    return 3 if python and list(words[1:3]) == ["-m", "pytest"] else None


def _options(words: Sequence[str], files: Sequence[str]) -> list[str]:
    """The arguments without those that chose tests.

    A word behind a long option may be its value: it goes only if tests that failed are below it.
    """
    kept: list[str] = []
    before = ""
    for word in words:
        chooses = any(_is_below(file, word.partition("::")[0]) for file in files)
        value = before in _WITH_VALUE or (before.startswith("--") and "=" not in before)
        if word.startswith("-") or before in _WITH_VALUE or (value and not chooses):
            kept.append(word)
        before = word
    return kept


def _is_below(file: str, path: str) -> bool:
    return PurePosixPath(file).is_relative_to(PurePosixPath(path))


def _verbatim(text: str) -> str:
    """Text that arrives as it is: Kubernetes replaces `$(NAME)` and `$$`."""
    return text.replace("$", "$$") if "$(" in text or "$$" in text else text


def _too_many(node_ids: Sequence[str]) -> BadRequest:
    return BadRequest(
        f"{len(node_ids)} tests failed, more than can be named in a job; "
        "run the whole job again, without --failed"
    )
