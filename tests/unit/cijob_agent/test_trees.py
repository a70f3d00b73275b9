"""The tree that entries make, as far as it is not held by the tests of whole archives."""

import pytest

from cijob_agent import trees
from cijob_agent.errors import SourceTooLarge
from cijob_agent.trees import FILE, FOLDER, Tree


def test_folders_are_known_with_those_above_them_first() -> None:
    tree = Tree()
    tree.add("a/b/c/file", FILE)
    tree.add("a/d", FOLDER)
    assert list(tree.folders) == ["a", "a/b", "a/b/c", "a/d"]


def test_what_the_paths_of_folders_take_in_memory_is_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two thousand entries with a hundred folders each took 774 MiB, and the agent has 256."""
    monkeypatch.setattr(trees, "MAX_FOLDERS_BYTES", len("a" + "a/b" + "a/b/c"))
    tree = Tree()
    tree.add("a/b/c/file", FILE)
    tree.add("a/b/c/other", FILE)
    with pytest.raises(SourceTooLarge, match=r"the paths of its 4 folders .*\.ciignore"):
        tree.add("d/file", FILE)
