"""Fixtures of the tests that need the machine to themselves."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.machine import NAME, kind, listing


@pytest.fixture
def kubeconfig(tmp_path: Path) -> Path:
    return tmp_path / "kubeconfig"


@pytest.fixture
def unchanged_machine(kubeconfig: Path) -> Iterator[None]:
    """Fails if the machine is not as it was before, once the cluster is deleted."""
    assert kind("get", "clusters").stdout == "", "these tests need a machine without a cluster"
    before = listing()
    yield
    kind("delete", "cluster", f"--name={NAME}", f"--kubeconfig={kubeconfig}")
    assert listing() == before
