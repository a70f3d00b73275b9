"""Submits: packs the source, posts the job, uploads only what the gateway does not have.

Called by submit and run. The job is posted first, with the digest of its source: an unchanged tree
is not sent again, and not even asked for. The same key goes with every retry, so that a connection
that breaks cannot make two jobs of one.
"""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TypeVar

from cijob_api.names import ulid
from cijob_cli.archive import Archive, pack
from cijob_cli.bodies import Body, with_archive
from cijob_cli.errors import Cut, SourceMissing, SourceRefused, TooLarge, Unavailable
from cijob_cli.events import Event
from cijob_cli.explaining import secrets_warning, too_large
from cijob_cli.follow import Following
from cijob_cli.gateway import Gateway, Job, Submission
from cijob_cli.screen import Screen
from cijob_cli.tree import Tree, read_tree
from cijob_cli.units import counted, format_bytes

T = TypeVar("T")
_TRIES = 5
# Above this the gateway's limit is asked for before anything is sent.
_LARGE = 16 * 1024 * 1024


def new_key() -> str:
    """A fresh idempotency key."""
    return ulid(int(time.time() * 1000), os.urandom(10))


class Source:
    """A packed directory, and whether the gateway has it."""

    def __init__(self, tree: Tree, archive: Archive) -> None:
        self.tree = tree
        self.archive = archive
        self.uploaded = False


@contextmanager
def packed(folder: Path, screen: Screen) -> Iterator[Source]:
    """Pack a directory, with warnings. Raises SourceRefused."""
    if not folder.is_dir():
        raise SourceRefused(f"{folder} is no directory; give the directory to submit")
    tree = read_tree(folder)
    for warning in (*tree.warnings, secrets_warning(tree)):
        if warning:
            screen.warn(warning)
    with pack(tree) as archive:
        yield Source(tree, archive)


class Submitter:
    """One submission: its job with or without a source, under one key."""

    def __init__(self, gateway: Gateway, screen: Screen, body: Body, source: Source | None) -> None:
        self._gateway = gateway
        self._screen = screen
        self._source = source
        if source:
            body = with_archive(body, source.archive.sha256, source.archive.size)
        self._submission = Submission(body, new_key())

    def check(self) -> Job:
        """The job that would be."""
        return self._gateway.check(self._submission)

    def create(self) -> Job:
        """Submit and come back."""
        job = self._uploading(lambda: self._gateway.create(self._submission))
        self._say_unchanged()
        return job

    @contextmanager
    def opening(self, following: Following) -> Iterator[Iterator[Event]]:
        """The stream of the job: by the submission itself, and after a cut by its log."""
        if following.name:
            with self._gateway.follow(following.name, [], following.last_id) as events:
                yield events
            return
        with ExitStack() as stack:
            events = self._uploading(
                lambda: stack.enter_context(self._gateway.create_and_follow(self._submission))
            )
            self._say_unchanged()
            yield events

    def _uploading(self, post: Callable[[], T]) -> T:
        """Post; where the source is missing, upload it and post again."""
        for _ in range(_TRIES):
            try:
                return post()
            except SourceMissing:
                if self._source is None:
                    raise
                # Again: it may have been swept away between the two.
                self._upload(self._source)
        return post()

    def _upload(self, source: Source) -> None:
        self._refuse_too_large(source)
        for tried in range(1, _TRIES + 1):
            try:
                self._send(source)
                break
            except (Cut, Unavailable) as error:
                if tried == _TRIES:
                    raise
                transport = self._gateway.transport
                transport.pause(transport.before_next(error, tried))
        source.uploaded = True
        size, files = format_bytes(source.archive.size), counted(source.archive.files, "file")
        self._screen.note(f"uploaded {size} ({files})")

    def _send(self, source: Source) -> None:
        archive = source.archive
        try:
            with self._screen.progress(archive.chunks(), archive.size) as chunks:
                self._gateway.upload(archive.sha256, archive.size, chunks)
        except TooLarge as error:
            if error.limit_bytes is None:
                raise
            raise TooLarge(too_large(source.tree, archive.size, error.limit_bytes)) from error

    def _refuse_too_large(self, source: Source) -> None:
        if source.archive.size < _LARGE:
            return
        limit = self._gateway.version().get("maxSourceBytes")
        if isinstance(limit, int) and source.archive.size > limit:
            raise TooLarge(too_large(source.tree, source.archive.size, limit))

    def _say_unchanged(self) -> None:
        if self._source and not self._source.uploaded:
            self._screen.note("source unchanged, nothing uploaded")
