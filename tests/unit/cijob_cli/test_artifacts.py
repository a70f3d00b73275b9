"""`ci artifacts`: exit code, stdout, stderr and the files, by a real gateway on the loopback."""

import hashlib
import json
from pathlib import Path

import pytest

from cijob_cli.filenames import distinct_names, safe_name
from unit.cijob_cli.conftest import CI
from unit.cijob_cli.loopback import Loopback, job

pytestmark = pytest.mark.process
WHEEL = bytes(range(256)) * 4000
SHA256 = hashlib.sha256(WHEEL).hexdigest()


@pytest.fixture(autouse=True)
def _left(gateway: Loopback, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gateway.jobs = {"test-01": job("test-01", "Succeeded")}
    gateway.artifacts = {"wheel": WHEEL, "empty": b""}
    gateway.files = {"wheel": "a-1.0.whl", "empty": "empty.log"}
    monkeypatch.chdir(home)


def test_the_list_has_names_files_sizes_and_digests(ci: CI) -> None:
    ended = ci("artifacts", "list", "test-01")
    heading, wheel, empty = (line.split() for line in ended.out.splitlines())
    assert heading == ["NAME", "FILE", "SIZE", "SHA256"]
    assert wheel == ["wheel", "a-1.0.whl", "1000.0", "KiB", SHA256]
    assert empty[:4] == ["empty", "empty.log", "0", "B"]
    assert (ended.code, ended.err) == (0, "")
    assert ci("artifacts", "list", "01", "-o", "name").out == "wheel\nempty\n"
    assert json.loads(ci("artifacts", "list", "01", "-o", "json").out)["attempt"] == 2


def test_what_is_missing_is_said(ci: CI, gateway: Loopback) -> None:
    gateway.missing = "artifact docs: there is no 'docs'"
    ended = ci("artifacts", "list", "test-01")
    assert ended.err == "ci: warning: missing: artifact docs: there is no 'docs'\n"
    assert ended.code == 0
    gateway.artifacts, gateway.missing = {}, ""
    assert ci("artifacts", "list", "test-01").err == "ci: the job left no artifacts\n"


def test_all_of_them_come_into_a_folder(ci: CI, home: Path) -> None:
    ended = ci("artifacts", "download", "test-01", "-o", "new/folder")
    assert ended.out == "new/folder/a-1.0.whl\nnew/folder/empty.log\n"
    assert ended.err.splitlines()[0] == f"ci: new/folder/a-1.0.whl: 1000.0 KiB, sha256 {SHA256}"
    folder = home / "new/folder"
    assert (folder / "a-1.0.whl").read_bytes() == WHEEL
    assert sorted(path.name for path in folder.iterdir()) == ["a-1.0.whl", "empty.log"]


def test_one_by_its_name(ci: CI, home: Path) -> None:
    assert ci("artifacts", "download", "test-01", "empty").out == "empty.log\n"
    ended = ci("artifacts", "download", "test-01", "docs")
    assert ended.code == 5
    assert ended.err == "ci: job test-01 has no artifact 'docs'; it has: wheel, empty\n"


def test_a_download_that_breaks_goes_on_where_it_was(ci: CI, gateway: Loopback, home: Path) -> None:
    gateway.cuts = [300_000, 300_000, 0, 0, 5]
    assert ci("artifacts", "download", "test-01", "wheel").code == 0
    assert (home / "a-1.0.whl").read_bytes() == WHEEL
    starts = [one.headers.get("range") for one in gateway.asked("GET", "artifacts/wheel")]
    assert starts[0] is None
    assert len(starts) == 6
    assert starts[-1] == "bytes=600005-"


def test_a_later_call_goes_on_as_well(ci: CI, gateway: Loopback, home: Path) -> None:
    gateway.cuts = [500_000, 0, 0, 0, 0]
    assert ci("artifacts", "download", "test-01", "wheel").code == 7
    assert not (home / "a-1.0.whl").exists()
    gateway.cuts = []
    assert ci("artifacts", "download", "test-01", "wheel").code == 0
    assert (home / "a-1.0.whl").read_bytes() == WHEEL
    last = gateway.asked("GET", "artifacts/wheel")[-1]
    assert last.headers["range"] == "bytes=500000-"


@pytest.mark.parametrize("wrong", [b"x" * 10, b"x" * (len(WHEEL) + 1), b"x" * len(WHEEL)])
def test_what_an_earlier_call_left_is_not_trusted(ci: CI, home: Path, wrong: bytes) -> None:
    (home / f".a-1.0.whl.{SHA256[:12]}.part").write_bytes(wrong)
    assert ci("artifacts", "download", "test-01", "wheel").code == 0
    assert (home / "a-1.0.whl").read_bytes() == WHEEL
    assert [path.name for path in home.iterdir()] == ["a-1.0.whl"]


def test_nothing_is_overwritten_unasked(ci: CI, home: Path) -> None:
    (home / "a-1.0.whl").write_text("mine")
    ended = ci("artifacts", "download", "test-01", "wheel")
    assert ended.code == 2
    assert "is there already, with another content; give --force" in ended.err
    assert (home / "a-1.0.whl").read_text() == "mine"
    assert ci("artifacts", "download", "test-01", "wheel", "--force").code == 0
    assert (home / "a-1.0.whl").read_bytes() == WHEEL


def test_the_same_file_is_not_brought_again(ci: CI, gateway: Loopback, home: Path) -> None:
    (home / "a-1.0.whl").write_bytes(WHEEL)
    ended = ci("artifacts", "download", "test-01", "wheel")
    assert (ended.code, ended.out) == (0, "a-1.0.whl\n")
    assert ended.err == "ci: a-1.0.whl is there already\n"
    assert gateway.asked("GET", "artifacts/wheel") == []


def test_no_link_is_written_through(ci: CI, home: Path) -> None:
    (home / "secret").write_text("mine")
    (home / "a-1.0.whl").symlink_to(home / "secret")
    assert ci("artifacts", "download", "test-01", "wheel").code == 2
    assert ci("artifacts", "download", "test-01", "wheel", "--force").code == 0
    assert (home / "secret").read_text() == "mine"
    part = home / f".empty.log.{hashlib.sha256().hexdigest()[:12]}.part"
    part.symlink_to(home / "secret")
    assert ci("artifacts", "download", "test-01", "empty").code != 0
    assert (home / "secret").read_text() == "mine"


@pytest.mark.parametrize(
    ("file", "safe"),
    [
        ("a-1.0.whl", "a-1.0.whl"),
        ("../../.bashrc", "_.._.bashrc"),
        ("/etc/passwd", "_etc_passwd"),
        ("-rf", "rf"),
        (".ssh", "ssh"),
        ("two\nlines", "two_lines"),
        ("\x1b[31mred", "_[31mred"),
        ("..", "name"),
        ("", "name"),
        ("\u202egpj.exe", "_gpj.exe"),
        ("C:\\x", "C__x"),
        ("ä" * 300 + ".tar.gz", "ä" * 96 + ".tar.gz"),
    ],
)
def test_a_file_gets_a_harmless_name(file: str, safe: str) -> None:
    assert safe_name(file, "name") == safe


def test_two_files_of_one_name_are_told_apart() -> None:
    found = distinct_names([("a", "log"), ("b", "LOG"), ("c", "other")])
    assert found == {"a": "a-log", "b": "b-LOG", "c": "other"}
