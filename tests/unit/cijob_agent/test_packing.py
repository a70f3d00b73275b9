"""The archive of a folder: what tar reads of it, the same bytes each time, links inside only."""

import hashlib
import io
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from cijob_agent.packing import pack, stays_inside
from cijob_agent.problems import Problems
from cijob_agent.walking import FILE, LINK, Entry, Walk


@pytest.fixture
def root(tmp_path: Path) -> Iterator[int]:
    file = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    yield file
    os.close(file)


def packed(root: int, pattern: str = ".") -> tuple[bytes, Problems]:
    written = bytearray()
    left_out = pack(root, Walk(root, lambda: None).find(pattern), written.extend)
    return bytes(written), left_out


def test_tar_reads_the_same_tree(tmp_path: Path, root: int) -> None:
    (tmp_path / "dist/deep").mkdir(parents=True)
    (tmp_path / "dist/run").write_text("#!/bin/sh\n")
    (tmp_path / "dist/run").chmod(0o750)
    (tmp_path / "dist/deep/big").write_bytes(bytes(range(256)) * 3000)
    (tmp_path / "dist/deep/empty").touch()
    (tmp_path / "dist/lib.so").symlink_to("deep/big")
    content, left_out = packed(root, "dist")
    assert left_out.told == []
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
        rows = [(one.name, one.mode, one.size, one.linkname) for one in archive]
        assert rows == [
            ("dist", 0o755, 0, ""),
            ("dist/deep", 0o755, 0, ""),
            ("dist/deep/big", 0o644, 768_000, ""),
            ("dist/deep/empty", 0o644, 0, ""),
            ("dist/lib.so", 0o777, 0, "deep/big"),
            ("dist/run", 0o755, 10, ""),
        ]
        big = archive.extractfile("dist/deep/big")
        assert big is not None
        assert big.read() == bytes(range(256)) * 3000


def test_the_same_tree_is_the_same_bytes(tmp_path: Path, root: int) -> None:
    for name in ("b", "a", "c"):
        (tmp_path / name).write_text(name)
    first, _ = packed(root)
    for name in ("c", "a"):
        (tmp_path / name).unlink()
        (tmp_path / name).write_text(name)
        os.utime(tmp_path / name, (1, 1))
        (tmp_path / name).chmod(0o600)
    assert hashlib.sha256(packed(root)[0]).digest() == hashlib.sha256(first).digest()


def test_names_of_any_bytes_and_length_survive(tmp_path: Path, root: int) -> None:
    names = [b"\xff", b"two\nlines", b"x" * 250, "ü".encode()]
    for name in names:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).touch()
    with tarfile.open(fileobj=io.BytesIO(packed(root)[0]), mode="r:gz", encoding="utf-8") as tar:
        read = [one.name.encode("utf-8", "surrogateescape") for one in tar]
    assert read == sorted(names)


LINKS = [
    ("a", "b", True),
    ("a/l", "../b", True),
    ("a/l", "../../b", False),
    ("a", "..", False),
    ("a/b/l", "../..", True),
    ("a", "/etc/passwd", False),
    ("a", "/proc/self/environ", False),
    ("a", "b/../../c", False),  # b may be a link itself
    ("a", "", False),
]


@pytest.mark.parametrize(("path", "target", "expected"), LINKS)
def test_a_link_is_kept_only_if_it_stays_inside(
    path: str,
    target: str,
    expected: bool,  # noqa: FBT001
) -> None:
    assert stays_inside(Entry(path, LINK, target=target)) == expected


def test_a_link_that_leads_out_is_left_out_by_name(tmp_path: Path, root: int) -> None:
    (tmp_path / "token").symlink_to("/var/run/cijob/token")
    content, left_out = packed(root)
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
        assert archive.getnames() == []
    assert left_out.told == ["link 'token' leads to '/var/run/cijob/token', out of the workspace"]


@pytest.mark.parametrize(("now", "words"), [(3, "the last 7 bytes of 'log'"), (30, None)])
def test_a_file_that_changes_meanwhile_leaves_an_archive_that_can_be_read(
    tmp_path: Path, root: int, now: int, words: str | None
) -> None:
    (tmp_path / "log").write_bytes(b"x" * now)
    written = bytearray()
    left_out = pack(root, [Entry("log", FILE, 10), Entry("gone", FILE, 5)], written.extend)
    assert left_out.told == [*([words] if words else []), "there is no 'gone'"]
    with tarfile.open(fileobj=io.BytesIO(written), mode="r:gz") as archive:
        log = archive.extractfile("log")
        assert log is not None
        assert log.read() == (b"x" * min(now, 10)).ljust(10, b"\0")
