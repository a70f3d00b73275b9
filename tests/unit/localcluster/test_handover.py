"""Where Docker runs, the real kind gets the command; shown with stand-in executables."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.process

ROOT = Path(__file__).resolve().parents[3]
STAND_IN = """#!/bin/sh
printf '%s\\n' "$@" > "{folder}/$(basename "$0").words"
echo "$@" >> "{folder}/$(basename "$0").calls"
exit {code}
"""


class Laptop:
    """A PATH with stand-ins for docker and kind that write down their arguments."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bin = folder / "bin"
        self.bin.mkdir()

    def install(self, name: str, code: int = 0) -> None:
        program = self.bin / name
        program.write_text(STAND_IN.format(folder=self.folder, code=code))
        program.chmod(0o755)

    def words(self, name: str) -> list[str]:
        return (self.folder / f"{name}.words").read_text().splitlines()

    def build_images(self, *words: str) -> subprocess.CompletedProcess[str]:
        return self._run("build-images", *words)

    def kind(self, *words: str) -> subprocess.CompletedProcess[str]:
        return self._run("kind", *words)

    def _run(self, program: str, *words: str) -> subprocess.CompletedProcess[str]:
        environment = {
            **os.environ,
            "PATH": f"{self.bin}:{os.environ['PATH']}",
            "CIJOB_CACHE": str(self.folder / "cache"),
        }
        command = [str(ROOT / "hack" / program), *words]
        return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=30)


@pytest.fixture
def laptop(tmp_path: Path) -> Laptop:
    laptop = Laptop(tmp_path)
    laptop.install("docker")
    laptop.install("kind")
    return laptop


def test_commands_go_to_kind_word_for_word(laptop: Laptop) -> None:
    assert laptop.kind("get", "clusters", "-q").returncode == 0
    assert laptop.words("kind") == ["get", "clusters", "-q"]


def test_create_brings_the_audit_policy_along(laptop: Laptop) -> None:
    assert laptop.kind("create", "cluster", "--name=one").returncode == 0
    *words, config = laptop.words("kind")
    assert words == ["create", "cluster", "--name=one"]
    content = json.loads(Path(config.removeprefix("--config=")).read_text())
    host = Path(content["nodes"][0]["extraMounts"][0]["hostPath"])
    assert json.loads((host / "policy.yaml").read_text())["kind"] == "Policy"
    assert (host / "audit").is_dir()
    assert laptop.kind("get", "audit-log").stdout == f"{host}/audit/audit.log\n"


def test_a_configuration_of_ones_own_is_left_alone(laptop: Laptop) -> None:
    laptop.kind("create", "cluster", "--config=mine.yaml")
    assert laptop.words("kind") == ["create", "cluster", "--config=mine.yaml"]


def test_kinds_exit_code_is_ours(laptop: Laptop) -> None:
    laptop.install("kind", code=7)
    assert laptop.kind("version").returncode == 7


@pytest.mark.parametrize(
    "words", [("kill", "component", "kubelet"), ("create", "nodes"), ("exec", "true")]
)
def test_what_kind_has_no_word_for_is_refused_by_name(
    laptop: Laptop, words: tuple[str, ...]
) -> None:
    refused = laptop.kind(*words)
    assert refused.returncode == 1
    assert "needs the local cluster" in refused.stderr
    assert not (laptop.folder / "kind.words").exists()


def test_the_provider_is_named(laptop: Laptop) -> None:
    assert laptop.kind("get", "provider").stdout == "kind\n"


def test_without_a_running_docker_the_cluster_is_local(laptop: Laptop) -> None:
    laptop.install("docker", code=1)
    assert laptop.kind("get", "provider").stdout == "local\n"


@pytest.mark.parametrize("other", [False, True])
def test_without_a_real_kind_the_cluster_is_local(laptop: Laptop, *, other: bool) -> None:
    (laptop.bin / "kind").unlink()
    # The project's own kind on PATH is not a real one: it would hand over to itself for ever. Nor
    # is that of another checkout, with which it would do so by turns.
    hack = ROOT / "hack"
    if other:
        hack = laptop.folder / "another" / "hack"
        (hack / "localcluster").mkdir(parents=True)
        shutil.copy(ROOT / "hack" / "kind", hack)
    (laptop.bin / "kind").symlink_to(hack / "kind")
    assert laptop.kind("get", "provider").stdout == "local\n"


def test_every_image_that_the_chart_names_is_built_and_loaded(laptop: Laptop) -> None:
    (laptop.bin / "kind").write_text(
        '#!/bin/sh\n[ "$1" = get ] && echo one || echo "$@" >> ' + f"{laptop.folder}/kind.calls\n"
    )
    assert laptop.build_images().returncode == 0
    images = [f"cijob/{name}:dev" for name in ("cijob", "python", "build", "minio")]
    builds = [c.split() for c in (laptop.folder / "docker.calls").read_text().splitlines()]
    assert [c[2] for c in builds if c[0] == "build"] == images
    assert all(Path(c[4]).is_file() for c in builds if c[0] == "build")
    loads = [c.split() for c in (laptop.folder / "kind.calls").read_text().splitlines()]
    assert [c[2:] for c in loads if c[0] == "load"] == [[i, "--name", "one"] for i in images]
