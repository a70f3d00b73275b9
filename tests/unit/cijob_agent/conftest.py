"""Fixtures of the agent's tests."""

from collections.abc import Iterator

import pytest

from kit import sshserver
from kit.sshserver import SshServer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    sshd = sshserver.program()
    if sshd is None:
        pytest.skip("no sshd, or not root: `make setup` on Debian brings one")
    with sshserver.serving(tmp_path_factory.mktemp("ssh"), sshd) as running:
        yield running
