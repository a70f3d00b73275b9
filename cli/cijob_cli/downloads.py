"""Brings an artifact to a file, whole and as it was stored. Called by commands/artifacts.

What has come is kept beside the file until all of it is there, so that a download that broke goes
on where it was, in this call or the next. Nothing that is there already is overwritten unasked.
"""

import hashlib
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from cijob_cli.errors import Cut, Damaged, Unavailable, Unusable
from cijob_cli.gateway import Gateway
from cijob_cli.screen import Screen
from cijob_cli.units import format_bytes

_TRIES = 5
_CHUNK = 1 << 18


@dataclass(frozen=True)
class Wanted:
    """An artifact of a job, and the file that it is to become."""

    job: str
    attempt: int
    name: str
    size: int
    sha256: str
    target: Path

    @property
    def part(self) -> Path:
        """What has come so far; of another content it would be another file."""
        return self.target.with_name(f".{self.target.name}.{self.sha256[:12]}.part")


def download(gateway: Gateway, screen: Screen, wanted: Wanted, *, force: bool) -> None:
    """Make the file. Raises Unusable if another one is there, Damaged if it came wrong twice."""
    if os.path.lexists(wanted.target):
        if _is_the_same(wanted):
            screen.note(f"{wanted.target} is there already")
            return
        if not force:
            raise Unusable(
                f"{wanted.target} is there already, with another content; "
                "give --force, or another folder with -o"
            )
    try:
        _bring(gateway, screen, wanted)
    except Damaged:
        wanted.part.unlink()  # what an earlier call left may have been wrong
        _bring(gateway, screen, wanted)
    _settle(wanted, force=force)
    screen.note(f"{wanted.target}: {format_bytes(wanted.size)}, sha256 {wanted.sha256}")


def _bring(gateway: Gateway, screen: Screen, wanted: Wanted) -> None:
    """All bytes into the part file; what is there is not asked for again. Raises Damaged."""
    digest = hashlib.sha256()
    # A link in its place would lead elsewhere.
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(wanted.part, flags, 0o644), "r+b") as part:
        for chunk in iter(lambda: part.read(_CHUNK), b""):
            digest.update(chunk)
        if part.tell() > wanted.size:
            raise Damaged(f"{wanted.part} has {part.tell()} bytes, more than the artifact")
        failures = 0
        while part.tell() < wanted.size:
            before = part.tell()
            try:
                rest = _rest(gateway, wanted, part)
                with screen.progress(rest, wanted.size - before, "downloading") as chunks:
                    for chunk in chunks:
                        digest.update(chunk)
                        part.write(chunk)
            except (Cut, Unavailable) as error:
                failures = 1 if part.tell() > before else failures + 1
                if failures == _TRIES:
                    raise
                gateway.transport.pause(gateway.transport.before_next(error, failures))
        part.flush()
    if digest.hexdigest() != wanted.sha256:
        raise Damaged(f"{wanted.name} came with sha256 {digest.hexdigest()}, not {wanted.sha256}")


def _rest(gateway: Gateway, wanted: Wanted, part: BinaryIO) -> Iterator[bytes]:
    """What is missing, never more than that."""
    left = wanted.size - part.tell()
    place = (wanted.attempt, part.tell(), wanted.sha256)
    with gateway.artifact(wanted.job, wanted.name, place) as chunks:
        for chunk in chunks:
            yield chunk[:left]
            left -= min(left, len(chunk))
    if left:
        raise Cut(f"the download of {wanted.name} was cut {left} bytes before its end")


def _settle(wanted: Wanted, *, force: bool) -> None:
    """Give the file its name."""
    if force:
        wanted.part.replace(wanted.target)
        return
    try:
        os.link(wanted.part, wanted.target)  # fails if somebody was faster
    except FileExistsError as error:
        raise Unusable(f"{wanted.target} is there now; give --force, or another folder") from error
    except OSError:  # a file system without links
        wanted.part.rename(wanted.target)
        return
    with suppress(FileNotFoundError):
        wanted.part.unlink()


def _is_the_same(wanted: Wanted) -> bool:
    target = wanted.target
    if target.is_symlink() or not target.is_file() or target.stat().st_size != wanted.size:
        return False
    with target.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() == wanted.sha256
