"""The folders are containers, not packages: nothing here may shadow the standard library."""

import operator
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def test_operator_is_the_standard_librarys() -> None:
    assert Path(operator.__file__).parent == Path(sysconfig.get_path("stdlib"))
    assert not (ROOT / "operator" / "__init__.py").exists()


LOCKS = [*ROOT.glob("requirements/*.lock"), ROOT / "images/python/requirements.lock"]


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: str(path.relative_to(ROOT)))
def test_lock_files_pin_by_hash_and_name_no_registry(lock: Path) -> None:
    content = lock.read_text()
    pinned = [line for line in content.splitlines() if "==" in line]
    assert content.count("--hash=sha256:") >= len(pinned) > 0
    assert "://" not in content


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    from cijob_cli.main import main

    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert (ended.value.code, capsys.readouterr().out) == (0, "ci 0.1.0\n")
