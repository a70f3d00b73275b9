"""The gateway on the loopback and `ci` before it, run in this process."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from cijob_cli.main import main
from unit.cijob_cli.loopback import Loopback, Server, serving


@dataclass(frozen=True)
class Ended:
    """All that a caller sees of a command."""

    code: int
    out_bytes: bytes
    err: str

    @property
    def out(self) -> str:
        return self.out_bytes.decode()


CI = Callable[..., Ended]


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    with serving() as running:
        yield running


@pytest.fixture
def gateway(server: Server) -> Iterator[Loopback]:
    """A gateway that knows nothing yet."""
    begun = server.begin()
    yield begun
    begun.done.set()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A caller with nothing set: no settings file, no kubeconfig, no variables."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    names = ("GATEWAY", "TOKEN", "NAMESPACE", "CONTEXT", "SYSTEM_NAMESPACE", "DEBUG")
    for name in (
        *(f"CI_{name}" for name in names),
        "XDG_CONFIG_HOME",
        "XDG_CACHE_HOME",
        "KUBECONFIG",
    ):
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture
def ci(gateway: Loopback, home: Path, monkeypatch: pytest.MonkeyPatch) -> CI:
    """Run `ci` with settings that lead to the loopback, without waits between its tries."""
    monkeypatch.setenv("CI_GATEWAY", gateway.url)
    monkeypatch.setenv("CI_TOKEN", "secret")
    monkeypatch.setenv("CI_NAMESPACE", "team")
    monkeypatch.setattr("time.sleep", lambda _seconds: None)

    def run(*arguments: str, called: str = "ci") -> Ended:
        result = CliRunner().invoke(main, list(arguments), prog_name=called)
        return Ended(result.exit_code, result.stdout_bytes, result.stderr)

    return run


@pytest.fixture
def project(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with a file, and we in it."""
    folder = home / "project"
    folder.mkdir()
    (folder / "test_it.py").write_text("def test_it(): pass\n")
    monkeypatch.chdir(folder)
    return folder
