"""Archives made to do harm, built for real. Each is refused by name, and nothing outside the
workspace changes."""

import struct
import zlib
from pathlib import Path

import pytest

from cijob_agent.errors import AgentError
from unit.cijob_agent.forging import (
    BLOCK,
    DEVICE,
    FIFO,
    FOLDER,
    LINK,
    SOCKET,
    Item,
    archive,
    central_header,
    deflated,
    end,
    link,
    listing,
    local_header,
    streamed,
    unpack,
    wide_archive,
)

A = Item("a", b"one")
TEXT = Item("a", b"text " * 100, method=8)
MIB = 1 << 20


def overlapping() -> bytes:
    """Two entries, one body: the second header points at the first one's."""
    first, second = Item("a", b"x" * 100), Item("b", b"x" * 100, local={"name": b"a"})
    body = local_header(first) + first.bytes()
    directory = central_header(first, 0) + central_header(second, 0)
    return body + directory + end(2, len(directory), len(body))


def nested() -> bytes:
    """The header and data of one entry lie inside the data of another."""
    inner = Item("b", b"y" * 10)
    outer = Item("a", local_header(inner) + inner.bytes())
    body = local_header(outer) + outer.bytes()
    inside = len(local_header(outer))
    directory = central_header(outer, 0) + central_header(inner, inside)
    return body + directory + end(2, len(directory), len(body))


def into_directory() -> bytes:
    """An entry whose data reaches into the central directory."""
    one = Item("a", b"x", central={"packed": 60, "size": 60}, local={"packed": 60, "size": 60})
    return archive(one)


def two_ends() -> bytes:
    """A second archive in the comment of the first: readers differ in which one they see."""
    other = archive(Item("evil", b"x"))
    inner_end = end(1, 0, 0)
    return archive(A, comment=other[:-22] + inner_end)


def too_many() -> bytes:
    """More entries than anybody reads: refused by the end record alone."""
    directory = central_header(Item("a"), 0) * 100_001
    count, size = 100_001, len(directory)
    wide = struct.pack("<4sQHHLLQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, count, count, size, 0)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, size, 1)
    return directory + wide + locator + end(0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF)


NAMES = {
    "parent": "../evil", "parent-in-the-middle": "a/../../evil", "parent-at-the-end": "a/..",
    "parent-that-stays-inside": "a/../b", "only-parent": "..", "absolute": "/tmp/evil",
    "double-slash": "//evil", "empty-part": "a//b", "backslash": "a\\b",
    "backslash-parent": "..\\evil", "drive": "C:/evil", "drive-relative": "c:evil",
    "unc": "\\\\host\\share", "nul": "a\0b", "newline": "a\nb", "escape": "a\x1b[2Jb",
    "delete": "a\x7f", "c1-control": "a\x85b", "name-of-256-bytes": "n" * 256,
    "name-of-256-bytes-in-accents": "é" * 128, "path-of-5000-bytes": "/".join(["d" * 100] * 50),
    "too-deep": "/".join("d" * 101), "deep-folders": "d/" * 101, "no-name": "",
}  # fmt: skip

ARCHIVES: dict[str, tuple[str, str, bytes]] = {
    **{
        name: ("SourceRejected", "entry", archive(A, Item(text, b"evil")))
        for name, text in NAMES.items()
        if name != "deep-folders"
    },
    "deep-folders": ("SourceRejected", "deep", archive(Item(NAMES["deep-folders"], mode=FOLDER))),
    "not-utf-8": ("SourceRejected", "UTF-8", archive(Item(b"a\xff", flags=1 << 11))),
    "surrogate": ("SourceRejected", "UTF-8", archive(Item(b"\xed\xa0\x80", flags=1 << 11))),
    "link-for-the-workspace": ("SourceRejected", "itself", archive(link(".", "d"))),
    "file-for-the-workspace": ("SourceRejected", "itself", archive(Item(".", b"x"))),
    "link-absolute": ("SourceRejected", "absolute", archive(link("l", "/etc/passwd"))),
    "link-out": ("SourceRejected", "out of the source", archive(link("l", "../x"))),
    "link-deep-out": ("SourceRejected", "out of", archive(link("a/b/l", "../../../x"))),
    "link-out-and-in": ("SourceRejected", "out of", archive(link("l", "../workspace/x"))),
    "link-out-by-another": (
        "SourceRejected", "out of", archive(link("a/l", ".."), link("m", "a/l/../x")),
    ),
    "link-out-by-what-is-not-there": (
        "SourceRejected", "out of", archive(link("l", "no/../../x")),
    ),
    "link-backslash": ("SourceRejected", "no path", archive(link("l", "..\\x"))),
    "link-nul": ("SourceRejected", "no path", archive(link("l", "a\0b"))),
    "link-empty": ("SourceRejected", "no path", archive(link("l", ""))),
    "link-target-too-long": ("SourceRejected", "target of", archive(link("l", "x/" * 3000))),
    "link-target-not-utf-8": ("SourceRejected", "UTF-8", archive(Item("l", b"\xff", mode=LINK))),
    "link-as-folder": ("SourceRejected", "not by both", archive(Item("l/", b"a", mode=LINK))),
    "write-through-link": (
        "SourceRejected", "at once", archive(link("l", "d"), Item("l/evil", b"x")),
    ),
    "write-through-link-later": (
        "SourceRejected", "at once", archive(Item("l/evil", b"x"), link("l", "d")),
    ),
    "link-and-file": ("SourceRejected", "twice", archive(link("l", "d"), Item("l", b"x"))),
    "fifo": ("SourceRejected", "FIFO", archive(Item("f", mode=FIFO))),
    "character-device": ("SourceRejected", "device", archive(Item("f", mode=DEVICE))),
    "block-device": ("SourceRejected", "device", archive(Item("f", mode=BLOCK))),
    "socket": ("SourceRejected", "socket", archive(Item("f", mode=SOCKET))),
    "unknown-kind": ("SourceRejected", "device", archive(Item("f", mode=0o150644))),
    "folder-by-mode-only": ("SourceRejected", "not by both", archive(Item("f", mode=FOLDER))),
    "file-by-mode-only": ("SourceRejected", "not by both", archive(Item("f/", mode=0o100644 | 0))),
    "folder-with-content": ("SourceRejected", "its own", archive(Item("d/", b"x", mode=FOLDER))),
    "case": ("SourceRejected", "case", archive(A, Item("A", b"two"))),
    "case-of-folders": ("SourceRejected", "case", archive(Item("d/a"), Item("D/b"))),
    "case-by-kelvin-sign": ("SourceRejected", "case", archive(Item("k"), Item("\u212a"))),
    "normalisation": ("SourceRejected", "accents", archive(Item("\u00e9"), Item("e\u0301"))),
    "duplicate": ("SourceRejected", "twice", archive(A, Item("a", b"two"))),
    "duplicate-by-dot": ("SourceRejected", "twice", archive(A, Item("./a", b"two"))),
    "duplicate-folder": (
        "SourceRejected", "twice", archive(Item("d/", mode=FOLDER), Item("d/", mode=FOLDER)),
    ),
    "file-then-folder": ("SourceRejected", "at once", archive(A, Item("a/b", b"x"))),
    "folder-then-file": ("SourceRejected", "at once", archive(Item("a/b", b"x"), A)),
    "encrypted": ("SourceRejected", "encrypted", archive(Item("a", b"x", flags=1))),
    "strongly-encrypted": ("SourceRejected", "encrypted", archive(Item("a", b"x", flags=1 << 6))),
    "masked-headers": ("SourceRejected", "encrypted", archive(Item("a", b"x", flags=1 << 13))),
    "patch": ("SourceRejected", "patch", archive(Item("a", b"x", flags=1 << 5))),
    "encrypted-in-its-header-only": (
        "SourceRejected", "kind in its header", archive(Item("a", b"x", local={"flags": 1})),
    ),
    "bzip2": ("SourceRejected", "method 12", archive(Item("a", b"x", method=12))),
    "lzma": ("SourceRejected", "method 14", archive(Item("a", b"x", method=14))),
    "other-method-in-header": (
        "SourceRejected", "kind in its header", archive(Item("a", b"x", local={"method": 8})),
    ),
    "other-name-in-header": (
        "SourceRejected", "another name", archive(Item("a", b"x", local={"name": b"b"})),
    ),
    "other-size-in-header": (
        "SourceRejected", "by its header", archive(Item("a", b"xy", local={"size": 1})),
    ),
    "other-crc-in-header": (
        "SourceRejected", "by its header", archive(Item("a", b"xy", local={"crc": 1})),
    ),
    "stored-but-not-of-its-size": (
        "SourceRejected", "stored in",
        archive(Item("a", b"xy", central={"size": 9}, local={"size": 9})),
    ),
    "more-than-promised": (
        "SourceRejected", "should unpack to 10",
        archive(Item("a", b"x" * 99, method=8, central={"size": 10}, local={"size": 10})),
    ),
    "less-than-promised": (
        "SourceRejected", "should unpack to 999",
        archive(Item("a", b"x" * 99, method=8, central={"size": 999}, local={"size": 999})),
    ),
    "wrong-crc": (
        "SourceRejected", "CRC", archive(Item("a", b"x", central={"crc": 7}, local={"crc": 7})),
    ),
    "broken-data": ("SourceRejected", "is broken", archive(
        Item("a", b"x" * 9, method=8, packed=b"\xff" * 9))),
    "cut-data": ("SourceRejected", "early or late", archive(
        Item("a", bytes(range(256)), method=8, packed=deflated(bytes(range(256)))[:-9]))),
    "bytes-behind-the-data": ("SourceRejected", "early or late", archive(
        Item("a", b"x" * 9, method=8, packed=deflated(b"x" * 9) + b"more"))),
    "descriptor-lies": ("SourceRejected", "behind its data", archive(streamed(TEXT, size=1))),
    "descriptor-crc-lies": ("SourceRejected", "behind its data", archive(streamed(TEXT, crc=1))),
    "overlapping": ("SourceRejected", "share bytes", overlapping()),
    "nested": ("SourceRejected", "share bytes", nested()),
    "into-the-directory": ("SourceRejected", "past the archive's data", into_directory()),
    "header-past-the-end": (
        "SourceRejected", "is not there", archive(A, Item("b", b"x", central={"offset": 10**6})),
    ),
    "no-header": (
        "SourceRejected", "before its first", archive(Item("a", b"x", central={"offset": 3})),
    ),
    "prepended": ("SourceRejected", "bytes were added", b"#!/bin/sh\n" + archive(A)),
    "prepended-and-aimed": (
        "SourceRejected", "before its first", archive(Item("a", b"x", before=b"#!/bin/sh\n")),
    ),
    "appended": ("SourceRejected", "no end", archive(A) + b"more"),
    "cut": ("SourceRejected", "no end", archive(A)[:-1]),
    "cut-in-the-directory": ("SourceRejected", "no end", archive(A)[:-30]),
    "no-zip": ("SourceRejected", "no zip", b"this is no zip archive" * 9),
    "two-ends": ("SourceRejected", "2 ends", two_ends()),
    "several-parts": ("SourceRejected", "several", archive(A, disk=1, first=1)),
    "entry-on-another-part": ("SourceRejected", "cut", archive(Item("a", central={"disk": 2}))),
    "fewer-entries-than-promised": ("SourceRejected", "has 1", archive(A, here=2, count=2)),
    "more-entries-than-promised": (
        "SourceRejected", "behind its 1", archive(A, Item("b"), here=1, count=1),
    ),
    "directory-elsewhere": ("SourceRejected", "bytes were added", archive(A, offset=0)),
    "zip64-locator-astray": ("SourceRejected", "zip64", wide_archive(A, shift=-7)),
    "zip64-count-forged": ("SourceRejected", "forged", wide_archive(A, more=1)),
    "zip64-size-missing": (
        "SourceRejected", "lacks its zip64", archive(Item("a", b"x", central={"size": 0xFFFFFFFF})),
    ),
    "bomb-of-one-file": (
        "SourceRejected", "more than 200 times", archive(Item("a", bytes(17 * MIB), method=8)),
    ),
    "bomb-of-many-files": (
        "SourceRejected", "whole archive",
        archive(*[Item(f"f{n}", bytes(MIB), method=8) for n in range(20)]),
    ),
    "bomb-that-hides-its-size": (
        "SourceRejected", "should unpack to 100",
        archive(Item("a", bytes(MIB), method=8, central={"size": 100}, local={"size": 100})),
    ),
    "too-large": ("SourceTooLarge", "64.0 MiB", archive(
        Item("a", b"x", method=8, packed=b"x" * (MIB // 2),
             central={"size": 65 * MIB}, local={"size": 65 * MIB}))),
    "too-many-entries": ("SourceTooLarge", "100001", too_many()),
}  # fmt: skip


@pytest.fixture
def surrounding(tmp_path: Path) -> Path:
    """What lies around a workspace: files that an archive might aim at."""
    (tmp_path / "workspace").mkdir()
    (tmp_path / "x").write_text("mine")
    (tmp_path / "evil").write_text("mine")
    return tmp_path


def outside(surrounding: Path) -> list[tuple[str, int, bytes]]:
    return [row for row in listing(surrounding) if not row[0].startswith("workspace/")]


@pytest.mark.parametrize("name", ARCHIVES)
def test_a_hostile_archive_is_refused_and_nothing_outside_changes(
    surrounding: Path, name: str
) -> None:
    reason, words, data = ARCHIVES[name]
    before = outside(surrounding)
    with pytest.raises(AgentError, match=words) as raised:
        unpack(data, surrounding / "workspace")
    assert raised.value.reason == reason
    assert len(str(raised.value)) < 700
    assert str(raised.value).isprintable()
    assert outside(surrounding) == before


def test_there_are_sixty_of_them() -> None:
    assert len(ARCHIVES) >= 60
    assert len({zlib.crc32(data) for _, _, data in ARCHIVES.values()}) == len(ARCHIVES)


def test_a_workspace_that_holds_a_link_out_is_not_written_through(surrounding: Path) -> None:
    """Should another one have put it there: it is removed, and where it leads stays as it is."""
    (surrounding / "workspace" / "d").symlink_to(surrounding)
    before = outside(surrounding)
    unpack(archive(Item("d/x", b"evil")), surrounding / "workspace")
    assert outside(surrounding) == before
    assert (surrounding / "workspace/d/x").read_text() == "evil"
