"""Zip archives byte by byte: what `zipfile` would not write, and what it writes, both for real."""

import os
import struct
import tempfile
import zlib
from dataclasses import dataclass, field, replace
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import Any

from cijob_agent import archives, workspaces

LINK, FOLDER, FIFO, DEVICE, BLOCK, SOCKET = 0o120777, 0o40755, 0o10644, 0o20644, 0o60644, 0o140755
LIMIT = 64 << 20


@dataclass(frozen=True)
class Item:
    """One entry. `central` and `local` overrule single fields of the two headers."""

    name: str | bytes
    data: bytes = b""
    mode: int = 0o100644
    method: int = 0
    flags: int = 0
    central: dict[str, Any] = field(default_factory=dict)
    local: dict[str, Any] = field(default_factory=dict)
    packed: bytes | None = None  # in place of what the method makes of the data
    before: bytes = b""  # bytes before the local header
    after: bytes = b""  # and behind the data: a descriptor

    def raw(self) -> bytes:
        return self.name if isinstance(self.name, bytes) else self.name.encode()

    def bytes(self) -> bytes:
        if self.packed is not None:
            return self.packed
        return deflated(self.data) if self.method == 8 else self.data


def deflated(data: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(data) + packer.flush()


def link(name: str, target: str) -> Item:
    return Item(name, target.encode(), mode=LINK)


def _told(item: Item, changes: dict[str, Any]) -> dict[str, Any]:
    told = {
        "name": item.raw(), "flags": item.flags, "method": item.method, "extra": b"",
        "crc": zlib.crc32(item.data), "packed": len(item.bytes()), "size": len(item.data),
    }  # fmt: skip
    return {**told, **changes}


def local_header(item: Item) -> bytes:
    t = _told(item, item.local)
    numbers = (20, t["flags"], t["method"], 0, 33, t["crc"], t["packed"], t["size"])
    lengths = (len(t["name"]), len(t["extra"]))
    head = struct.pack("<4sHHHHHLLLHH", b"PK\3\4", *numbers, *lengths)
    return b"".join([head, t["name"], t["extra"]])


def central_header(item: Item, offset: int) -> bytes:
    t = {"offset": offset, "disk": 0, **_told(item, item.central)}
    numbers = (20, 3, 20, 0, t["flags"], t["method"], 0, 33, t["crc"], t["packed"], t["size"])
    rest = (len(t["name"]), len(t["extra"]), 0, t["disk"], 0, item.mode << 16, t["offset"])
    head = struct.pack("<4sBBBBHHHHLLLHHHHHLL", b"PK\1\2", *numbers, *rest)
    return b"".join([head, t["name"], t["extra"]])


def end(count: int, size: int, offset: int, /, **changes: Any) -> bytes:
    told = {"disk": 0, "first": 0, "here": count, "count": count, "size": size, "offset": offset}
    t = {**told, "comment": b"", **changes}
    numbers = (t["disk"], t["first"], t["here"], t["count"], t["size"], t["offset"])
    return struct.pack("<4sHHHHLLH", b"PK\5\6", *numbers, len(t["comment"])) + bytes(t["comment"])


def archive(*items: Item, **changes: Any) -> bytes:
    """A whole archive; `changes` overrule fields of its end record."""
    body, directory = bytearray(), bytearray()
    for item in items:
        body += item.before
        directory += central_header(item, len(body))
        body += local_header(item) + item.bytes() + item.after
    return bytes(body + directory) + end(len(items), len(directory), len(body), **changes)


def wide_archive(*items: Item, shift: int = 0, more: int = 0) -> bytes:
    """With zip64 end records only; `shift` moves the locator's aim, `more` forges the count."""
    plain = archive(*items)
    size, offset = struct.unpack("<LL", plain[-10:-2])
    at, count = len(plain) - 22, len(items)
    wide = struct.pack(
        "<4sQHHLLQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, count, count + more, size, offset
    )
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, at + shift, 1)
    masked = end(count, 0xFFFFFFFF, 0xFFFFFFFF, here=0xFFFF, count=0xFFFF)
    return plain[:-22] + wide + locator + masked


def streamed(item: Item, **lies: int) -> Item:
    """The same with sizes behind the data only; `lies` go into that record."""
    told = {"crc": zlib.crc32(item.data), "packed": len(item.bytes()), "size": len(item.data)}
    t = {**told, **lies}
    record = b"PK\7\x08" + struct.pack("<LLL", t["crc"], t["packed"], t["size"])
    blank = {"crc": 0, "packed": 0, "size": 0}
    return replace(item, flags=item.flags | 8, local={**blank, **item.local}, after=record)


def unpack(data: bytes, workspace: Path, limit: int = LIMIT) -> None:
    """What the agent does with an archive that it has fetched."""
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        with mmap(file.fileno(), len(data), access=ACCESS_READ) as image:
            workspaces.write(image, archives.read_plan(image, limit), str(workspace))


def listing(folder: Path) -> list[tuple[str, int, bytes]]:
    """Every path below a folder with its mode and content."""
    found = []
    for root, folders, files in os.walk(folder):
        for name in [*folders, *files]:
            path = Path(root, name)
            content = b""
            if path.is_symlink():
                content = bytes(path.readlink())
            elif path.is_file():
                content = path.read_bytes()
            found.append((str(path.relative_to(folder)), path.lstat().st_mode, content))
    return sorted(found)
