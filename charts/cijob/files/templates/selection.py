"""A plug-in of pytest that runs the tests of CIJOB_TESTS, a node id a line, and no others.

Part of template `test`, put into its script by the chart; `ci retry --failed` sets the variable.
Named by `-p`, so that workers of pytest-xdist have it, too. The job's own arguments stay.
"""

from __future__ import annotations

import os
from typing import Any

WANTED = set(os.environ.get("CIJOB_TESTS", "").splitlines())


def pytest_collection_modifyitems(config: Any, items: list[Any]) -> None:
    """Leave out what is not wanted; a file that is wanted stands for its tests."""
    chosen: list[Any] = []
    others: list[Any] = []
    for item in items:
        wanted = item.nodeid in WANTED or item.nodeid.partition("::")[0] in WANTED
        (chosen if wanted else others).append(item)
    if others:
        config.hook.pytest_deselected(items=others)
        items[:] = chosen
