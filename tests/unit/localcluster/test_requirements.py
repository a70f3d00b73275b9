"""Each thing that a machine lacks is one line that says what to do."""

from pathlib import Path

import pytest

from localcluster import requirements
from localcluster.errors import Missing
from localcluster.settings import Settings


def settings(cache: Path) -> Settings:
    return Settings(cache=cache, state=Path("/nowhere"), hack=Path("/nowhere"), kubeconfig=cache)


def test_a_user_who_is_not_root_is_told(tmp_path: Path) -> None:
    with pytest.raises(Missing, match="needs root; run this as root, or install Docker and kind"):
        requirements.check(settings(tmp_path), uid=1000)


def test_another_system_is_told_to_use_kind(tmp_path: Path) -> None:
    with pytest.raises(Missing, match="needs Linux; elsewhere start Docker and install kind"):
        requirements.check(settings(tmp_path), platform="darwin")


@pytest.mark.parametrize("program", sorted(requirements.PROGRAMS))
def test_a_missing_program_is_named_with_its_package(
    tmp_path: Path, program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def which(name: str, path: str) -> str | None:
        return None if name == program else f"/usr/bin/{name}"

    monkeypatch.setattr("localcluster.requirements.shutil.which", which)
    package = requirements.PROGRAMS[program]
    with pytest.raises(Missing, match=f"^{program} is missing; run `make setup`, or.*{package}$"):
        requirements.check(settings(tmp_path), uid=0)


def test_a_cache_that_the_node_cannot_see_is_refused() -> None:
    with pytest.raises(Missing, match="CIJOB_CACHE is /var/lib/cache; choose another folder"):
        requirements.check(settings(Path("/var/lib/cache")), uid=0)
