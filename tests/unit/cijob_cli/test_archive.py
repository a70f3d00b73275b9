import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZipFile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cijob_cli.archive import Archive, pack
from cijob_cli.errors import SourceRefused
from cijob_cli.tree import read_tree
from unit.cijob_cli.trees import write

pytestmark = pytest.mark.process


def is_inside(path: str, folder: str) -> bool:
    return path.startswith(folder + "/")


NAMES = st.text(st.sampled_from("abü日 .-"), min_size=1, max_size=5).filter(
    lambda name: name.strip(". ") and not name.startswith(".")
)
FILES = st.dictionaries(
    st.lists(NAMES, min_size=1, max_size=3).map("/".join),
    st.tuples(st.binary(max_size=2000), st.booleans()),
    min_size=1,
    max_size=6,
).filter(lambda files: not any(is_inside(one, other) for one in files for other in files))
Files = dict[str, tuple[bytes, bool]]


@contextmanager
def packed(files: Files, order: int = 1) -> Iterator[Archive]:
    with TemporaryDirectory() as folder:
        for path, (content, executable) in list(files.items())[::order]:
            target = Path(folder, path)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
            target.chmod(0o750 if executable else 0o600)
        with pack(read_tree(Path(folder))) as archive:
            yield archive


@settings(max_examples=15, deadline=None)
@given(FILES)
def test_the_same_tree_is_the_same_bytes_wherever_and_whenever(files: Files) -> None:
    with packed(files) as one, packed(files, order=-1) as other:
        assert b"".join(one.chunks()) == b"".join(other.chunks())
        assert one.sha256 == other.sha256 == hashlib.sha256(b"".join(one.chunks())).hexdigest()
        assert one.size == len(b"".join(one.chunks()))


@settings(max_examples=15, deadline=None)
@given(FILES)
def test_a_round_trip_gives_files_and_executable_bits(files: Files) -> None:
    with packed(files) as archive, ZipFile(archive.file) as unpacked:
        found = {
            entry.filename: (unpacked.read(entry), bool(entry.external_attr >> 16 & 0o111))
            for entry in unpacked.infolist()
        }
    assert found == files


def test_content_mode_and_name_each_change_the_digest(tmp_path: Path) -> None:
    file = tmp_path / "main.py"
    digests = set()
    versions = [
        ("main.py", "1", 0o644),
        ("main.py", "2", 0o644),
        ("main.py", "1", 0o755),
        ("more.py", "1", 0o644),
    ]
    for name, content, mode in versions:
        file = file.rename(tmp_path / name) if file.exists() else tmp_path / name
        file.write_text(content)
        file.chmod(mode)
        with pack(read_tree(tmp_path)) as archive:
            digests.add(archive.sha256)
    assert len(digests) == 4


def test_times_and_other_mode_bits_do_not(tmp_path: Path) -> None:
    write(tmp_path, "main.py")
    with pack(read_tree(tmp_path)) as before:
        (tmp_path / "main.py").chmod(0o600)
        os.utime(tmp_path / "main.py", (0, 0))
        with pack(read_tree(tmp_path)) as after:
            assert before.sha256 == after.sha256


def test_links_are_links_and_empty_folders_are_kept(tmp_path: Path) -> None:
    write(tmp_path, "real.py")
    (tmp_path / "link").symlink_to("./real.py")
    (tmp_path / "empty").mkdir()
    with pack(read_tree(tmp_path)) as archive, ZipFile(archive.file) as unpacked:
        link = unpacked.getinfo("link")
        assert stat.S_ISLNK(link.external_attr >> 16)
        assert unpacked.read(link) == b"./real.py"
        assert unpacked.getinfo("empty/").is_dir()
        assert archive.files == 2


def test_sizes_stand_before_the_content(tmp_path: Path) -> None:
    """A reader that goes from front to back needs no data descriptors."""
    write(tmp_path, "main.py")
    with pack(read_tree(tmp_path)) as archive, ZipFile(archive.file) as unpacked:
        assert all(entry.flag_bits & 0x08 == 0 for entry in unpacked.infolist())


def test_a_file_that_is_gone_when_it_is_packed_is_said(tmp_path: Path) -> None:
    write(tmp_path, "main.py", "short-lived")
    tree = read_tree(tmp_path)
    (tmp_path / "short-lived").unlink()
    with pytest.raises(SourceRefused, match="short-lived: No such file"):
        pack(tree)
