"""S3: where sources and results are kept, streamed in and out with constant memory.

`<namespace>/source/<sha256>.zip`: never shared between namespaces, since who knows a digest must
not be able to read another team's code. The `minio` client is synchronous: it works in threads of
its own, so that slow uploads do not take those that others need.
"""

import asyncio
import io
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from itertools import islice
from typing import Any, TypeVar

import urllib3
from minio import Minio
from minio.commonconfig import REPLACE, CopySource
from minio.error import MinioException, S3Error

from cijob_gateway.errors import Down
from cijob_gateway.settings import MIB, S3Settings
from cijob_gateway.uploads import SILENT_SECONDS, Body, Wanted

T = TypeVar("T")
PART_BYTES = 5 * MIB  # the least that S3 takes
CHUNK_BYTES = 256 * 1024
# So many uploads at a time, each with one part in memory; others wait.
UPLOADS = 8
LISTED_AT_ONCE = 200  # objects, in one turn of a thread
MISSING = {"NoSuchKey", "NoSuchBucket", "NoSuchObject"}


@dataclass(frozen=True)
class Stored:
    """An object: its name in the bucket, its size in bytes, when it was last used."""

    name: str
    size: int
    used: datetime
    metadata: Mapping[str, str] = field(default_factory=dict)  # known by `find` only


@dataclass(frozen=True)
class Content:
    """All of a small object."""

    content: bytes
    metadata: Mapping[str, str]


def source_name(namespace: str, sha256: str) -> str:
    """Where a source is kept."""
    return f"{namespace}/source/{sha256}.zip"


class Store:
    """The bucket."""

    def __init__(self, settings: S3Settings) -> None:
        self.trouble = "the object store was not asked yet"  # empty while it answers
        timeout = urllib3.Timeout(connect=3, read=SILENT_SECONDS)
        self._bucket = settings.bucket
        self._client = Minio(
            settings.endpoint,
            access_key=settings.access_key,
            secret_key=settings.secret_key,
            secure=settings.secure,
            region=settings.region,
            # One retry: whoever asked gets a clear answer soon and may ask again.
            http_client=urllib3.PoolManager(timeout=timeout, maxsize=32, retries=1),
        )
        self._threads = ThreadPoolExecutor(16, "s3")
        self._uploads = ThreadPoolExecutor(UPLOADS, "upload")
        # Nobody who submits waits for what other jobs leave behind.
        self._results = ThreadPoolExecutor(UPLOADS, "result")
        # Held from looking at an object's age until what follows from it is done: S3 cannot remove
        # only what is still old, and a submit may touch what a sweep is about to remove.
        self.ageing = asyncio.Lock()

    async def prepare(self) -> None:
        """Make the bucket unless it is there. Raises Down."""
        if not await self._call(self._client.bucket_exists, self._bucket):
            await self._call(self._client.make_bucket, self._bucket)

    async def keep_checked(self, seconds: float) -> None:
        """Ask again and again whether the bucket is there; `trouble` has the last answer."""
        while True:
            try:
                await self.prepare()
                self.trouble = ""
            except (Down, FileNotFoundError) as error:
                self.trouble = str(error)
            await asyncio.sleep(seconds)

    async def find(self, name: str) -> Stored | None:
        """An object's size and age, or None. Raises Down."""
        try:
            found = await self._call(self._client.stat_object, self._bucket, name)
        except FileNotFoundError:
            return None
        metadata = _metadata(found.metadata or {})
        return Stored(name, found.size or 0, _moment(found.last_modified), metadata)

    async def read(self, name: str, *, start: int = 0, length: int = 0) -> AsyncIterator[bytes]:
        """An object's bytes, or `length` of them from `start` (0: all that follow).

        Raises FileNotFoundError before the first chunk, or Down.
        """
        get = partial(self._client.get_object, self._bucket, name, start, length)
        response = await self._call(get)
        try:
            chunks: Iterator[bytes] = response.stream(CHUNK_BYTES)
            while chunk := await self._call(next, chunks, b""):
                yield chunk
        finally:
            response.close()
            response.release_conn()

    async def write(
        self, name: str, body: AsyncIterator[bytes], wanted: Wanted, *, result: bool = False
    ) -> tuple[str, int]:
        """Store a body under a name; its digest and size. `result`: it is a job's, not a user's.

        The object appears only when all of it is there and right. Raises SourceTooLarge,
        DigestMismatch, SlowUpload or Down, and then nothing is stored.
        """
        source = Body(body, wanted, asyncio.get_running_loop())
        length = -1 if wanted.size is None else wanted.size
        put = partial(
            self._client.put_object,
            self._bucket,
            name,
            source,  # type: ignore[arg-type]  # only `read` is asked for
            length,
            content_type=wanted.kind,
            part_size=PART_BYTES,
            num_parallel_uploads=1,
        )
        try:
            await self._call(put, threads=self._results if result else self._uploads)
        except Exception:
            if source.problem:
                raise source.problem from None
            raise
        return source.digest, source.size

    async def get(self, name: str) -> Content:
        """All of a small object at once. Raises FileNotFoundError, Down."""

        def get() -> Content:
            response = self._client.get_object(self._bucket, name)
            try:
                return Content(response.read(), _metadata(response.headers))
            finally:
                response.close()
                response.release_conn()

        return await self._call(get)

    async def put(
        self, name: str, content: bytes, *, kind: str, metadata: Mapping[str, str] | None = None
    ) -> None:
        """Store a small object of a content type, in place of what was there. Raises Down."""
        put = partial(
            self._client.put_object,
            self._bucket,
            name,
            io.BytesIO(content),
            len(content),
            content_type=kind,
            metadata=dict(metadata or {}),
            part_size=max(len(content), PART_BYTES),  # in one request, so that it appears whole
        )
        await self._call(put)

    async def touch(self, name: str) -> None:
        """Note that an object is in use: its age begins anew."""
        source = CopySource(self._bucket, name)
        copy = partial(self._client.copy_object, self._bucket, name, source)
        await self._call(partial(copy, metadata={"used": "again"}, metadata_directive=REPLACE))

    async def rename(self, old: str, new: str) -> None:
        """Give an object another name."""
        source = CopySource(self._bucket, old)
        await self._call(self._client.copy_object, self._bucket, new, source)
        await self.remove(old)

    async def remove(self, name: str) -> None:
        """Remove an object; none of that name is no error."""
        await self._call(self._client.remove_object, self._bucket, name)

    async def all(self) -> AsyncIterator[Stored]:
        """Every object of the bucket."""
        async for stored in self.under(""):
            yield stored

    async def under(self, prefix: str, *, after: str = "") -> AsyncIterator[Stored]:
        """The objects whose names begin so, in the order of their names; those behind a name."""
        names = self._client.list_objects(
            self._bucket, prefix, recursive=True, start_after=after or None
        )
        listing = iter(names)
        while batch := await self._call(lambda: list(islice(listing, LISTED_AT_ONCE))):
            for found in batch:
                yield Stored(found.object_name or "", found.size or 0, _moment(found.last_modified))

    async def _call(
        self, work: Callable[..., T], *words: Any, threads: ThreadPoolExecutor | None = None
    ) -> T:
        """Run a call of the client in a thread. Raises FileNotFoundError, Down, or a Problem."""
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(threads or self._threads, work, *words)
        except S3Error as error:
            if error.code in MISSING:
                raise FileNotFoundError(error.resource or "") from error
            raise Down(f"the object store refused: {error.code}; try again in a moment") from error
        except (MinioException, urllib3.exceptions.HTTPError, OSError) as error:
            if isinstance(error, FileNotFoundError):
                raise
            raise Down(
                "the object store cannot be reached; jobs without a source are not affected, "
                "try again in a moment"
            ) from error


def _metadata(headers: Mapping[str, str]) -> dict[str, str]:
    """What was noted when an object was stored."""
    lower = {key.lower(): value for key, value in headers.items()}
    mark = "x-amz-meta-"
    return {key.removeprefix(mark): value for key, value in lower.items() if key.startswith(mark)}


def _moment(moment: datetime | None) -> datetime:
    if moment is None:
        raise Down("the object store does not say how old its objects are")
    return moment
