"""Archives that are what they say unpack to the tree they were made from."""

import io
import os
import stat
import tempfile
import zipfile
from pathlib import Path
from typing import IO, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cijob_agent.errors import SourceTooLarge
from unit.cijob_agent.forging import (
    FOLDER,
    Item,
    archive,
    deflated,
    link,
    listing,
    streamed,
    unpack,
    wide_archive,
)

pytestmark = pytest.mark.process


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "workspace"
    folder.mkdir()
    return folder


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def test_executables_stay_executable_and_nothing_else_is_kept_of_a_mode(workspace: Path) -> None:
    modes = {"plain": 0o100644, "tight": 0o100600, "run": 0o100755, "by-owner": 0o100700}
    forged = {"set-user-id": 0o104755, "sticky": 0o101666, "none": 0}
    unpack(archive(*[Item(n, mode=m) for n, m in {**modes, **forged}.items()]), workspace)
    assert {path.name: oct(mode(path)) for path in workspace.iterdir()} == {
        "plain": "0o644",
        "tight": "0o644",
        "run": "0o755",
        "by-owner": "0o755",
        "set-user-id": "0o755",
        "sticky": "0o644",
        "none": "0o644",
    }


def test_empty_folders_files_and_archives_are_kept(workspace: Path) -> None:
    unpack(archive(Item("d/e/", mode=FOLDER), Item("d/", mode=FOLDER), Item("f")), workspace)
    assert [row[0] for row in listing(workspace)] == ["d", "d/e", "f"]
    assert mode(workspace / "d") == 0o755
    unpack(archive(), workspace)
    assert listing(workspace) == []


@pytest.mark.parametrize(
    "name", ["é", "e\u0301", "日本", "🙂", "ab:c", "n" * 255, "...", " ", "é" * 127]
)
def test_names_come_out_as_they_are(workspace: Path, name: str) -> None:
    unpack(archive(Item(f"{name}/{name}", b"x", flags=1 << 11)), workspace)
    assert os.listdir(os.fsencode(workspace)) == [name.encode()]  # noqa: PTH208


def test_a_name_in_the_dos_code_page_is_read_as_the_standard_says(workspace: Path) -> None:
    unpack(archive(Item(b"caf\x82")), workspace)
    assert (workspace / "café").exists()


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("l", "f"),
        ("l", "no-such-file"),
        ("d/l", "../f"),
        ("d/l", ".."),
        ("l", "."),
        ("l", "l"),
        ("d/e/l", "../../d/./e/../../f"),
    ],
)
def test_a_link_that_stays_inside_is_kept(workspace: Path, path: str, target: str) -> None:
    unpack(archive(Item("f", b"x"), link(path, target)), workspace)
    assert os.readlink(workspace / path) == target  # noqa: PTH115  # as it is


def test_links_in_a_circle_are_kept(workspace: Path) -> None:
    unpack(archive(link("a", "b/x"), link("b", "a/x")), workspace)
    assert {path.name for path in workspace.iterdir()} == {"a", "b"}


def test_dot_slash_before_every_name_is_the_workspace_itself(workspace: Path) -> None:
    unpack(archive(Item("./", mode=FOLDER), Item("./a/b", b"x")), workspace)
    assert (workspace / "a/b").read_text() == "x"


def test_zip64_and_streamed_archives_are_fine(workspace: Path) -> None:
    unpack(wide_archive(Item("a", b"wide")), workspace)
    assert (workspace / "a").read_text() == "wide"
    unpack(archive(streamed(Item("a", b"streamed " * 99, method=8)), Item("b")), workspace)
    assert (workspace / "a").read_text() == "streamed " * 99


class Pipe(io.RawIOBase):
    """Where zipfile can only append: it then writes sizes behind the data."""

    def __init__(self) -> None:
        self.written = b""

    def writable(self) -> bool:
        return True

    def write(self, piece: object, /) -> int:
        self.written += bytes(cast("bytes", piece))
        return len(cast("bytes", piece))


def test_an_archive_written_to_a_pipe_is_fine(workspace: Path) -> None:
    pipe = Pipe()
    with zipfile.ZipFile(cast("IO[bytes]", pipe), "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("d/", "")
        made.writestr("d/a", "text" * 1000)
        with made.open("wide", "w", force_zip64=True) as file:
            file.write(b"x" * 5000)
    unpack(pipe.written, workspace)
    assert (workspace / "d/a").read_text() == "text" * 1000
    assert (workspace / "wide").read_bytes() == b"x" * 5000


def test_a_large_file_comes_whole(workspace: Path) -> None:
    data = os.urandom(3 << 19) + bytes(3 << 20) + os.urandom(77)
    unpack(archive(Item("packed", data, method=8), Item("stored", data)), workspace)
    assert (workspace / "packed").read_bytes() == data
    assert (workspace / "stored").read_bytes() == data


def test_pieces_of_exactly_the_buffer_s_size_come_whole(workspace: Path) -> None:
    for size in (1 << 18, (1 << 18) - 1, (1 << 18) + 1, 1 << 19):
        data = b"ab" * size
        assert len(deflated(data)) < 1 << 18
        unpack(archive(Item("a", data[:size], method=8)), workspace)
        assert (workspace / "a").read_bytes() == data[:size]


def test_an_earlier_try_s_files_are_gone(workspace: Path) -> None:
    """The kubelet may run an init container twice."""
    unpack(archive(Item("d/e/old", b"x"), link("l", "d")), workspace)
    unpack(archive(Item("new")), workspace)
    assert [row[0] for row in listing(workspace)] == ["new"]


def test_the_limit_counts_what_small_files_and_folders_take_on_the_disk(workspace: Path) -> None:
    many = archive(*[Item(f"d{n}/f") for n in range(10)])
    unpack(many, workspace, limit=20 * 4096)
    with pytest.raises(SourceTooLarge, match=r"more than 80.0 KiB.*\.ciignore"):
        unpack(many, workspace, limit=20 * 4096 - 1)


def _names() -> st.SearchStrategy[str]:
    allowed = st.characters(
        codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="/\\"
    )
    return st.text(allowed, min_size=1, max_size=20).filter(lambda name: name not in (".", ".."))


# Numbered, so that no two names differ in case or accents only: that is refused, see the others.
FILES = st.lists(st.tuples(st.lists(_names(), max_size=3), _names(), st.binary(), st.booleans()))


@given(FILES, st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]))
@settings(deadline=None)
def test_a_tree_comes_out_as_it_went_in(
    files: list[tuple[list[str], str, bytes, bool]], method: int
) -> None:
    packed = io.BytesIO()
    expected = {}
    with zipfile.ZipFile(packed, "w", method) as made:
        for number, (folders, name, data, executable) in enumerate(files):
            path = "/".join([*(f"{number}-{f}" for f in folders), f"{number} {name}"])
            info = zipfile.ZipInfo(path)
            info.external_attr = (0o100755 if executable else 0o100644) << 16
            made.writestr(info, data, method)
            expected[path] = (0o755 if executable else 0o644, data)
    with tempfile.TemporaryDirectory() as folder:
        unpack(packed.getvalue(), Path(folder))
        found = {
            path: (stat.S_IMODE(bits), data)
            for path, bits, data in listing(Path(folder))
            if stat.S_ISREG(bits)
        }
    assert found == expected
