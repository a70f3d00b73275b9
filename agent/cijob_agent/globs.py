"""Globs of paths, matched name by name on the way down a tree. Pure.

`*`, `?` and `[…]` stay within a name, `**` stands for any folders, also none. As in a shell, a name
that begins with a dot is matched only by a part that begins with one.
"""

import re
from fnmatch import translate
from typing import NamedTuple


class _Step(NamedTuple):
    """One part of a glob; without a pattern it is `**`."""

    pattern: "re.Pattern[str] | None"
    hidden: bool


# How far in the glob one may be in a folder, as numbers of parts behind one.
Places = frozenset[int]


def is_glob(path: str) -> bool:
    """Whether a path of the spec is a glob."""
    return any(letter in path for letter in "*?[")


class Glob:
    """A glob, from its parts between slashes."""

    def __init__(self, parts: list[str]) -> None:
        self._steps = [
            _Step(None if part == "**" else re.compile(translate(part)), part.startswith("."))
            for part in parts
        ]
        self.begin = self._reachable({0})

    def after(self, places: Places, name: str) -> Places:
        """How far one may be behind that name; empty if it leads nowhere."""
        found = set()
        for place in places - {len(self._steps)}:
            pattern, hidden = self._steps[place]
            if name.startswith(".") and not hidden:
                continue
            if pattern is None:
                found.add(place)
            elif pattern.match(name):
                found.add(place + 1)
        return self._reachable(found)

    def matches(self, places: Places) -> bool:
        """Whether what led there is matched as a whole."""
        return len(self._steps) in places

    def _reachable(self, places: set[int]) -> Places:
        """These places, and those behind a `**` that stands for nothing."""
        found = set(places)
        for place in places:
            following = place
            while following < len(self._steps) and self._steps[following].pattern is None:
                following += 1
                found.add(following)
        return frozenset(found)
