"""The sources that jobs name: that they are stored, and that they are in use. Called by jobs."""

from collections.abc import Callable
from datetime import datetime, timedelta

from cijob_api.specs import CIJobSpec
from cijob_gateway import metrics
from cijob_gateway.errors import Invalid, SourceMissing
from cijob_gateway.store import Store, source_name

# A source counts as used anew at most so often: touching it is a copy in the store.
TOUCH_AFTER = timedelta(days=1)
REMEMBERED = 10_000


class Sources:
    """The sources of all namespaces, for those who submit."""

    def __init__(self, store: Store, *, now: Callable[[], datetime]) -> None:
        self._store = store
        self._now = now
        # Uploaded through this gateway and not used yet: nothing was saved by their first use.
        self._uploaded: set[str] = set()

    async def use(self, spec: CIJobSpec, namespace: str) -> None:
        """A job is about to name its archive: see that it is there and will stay.

        Raises SourceMissing, Invalid, Down.
        """
        archive = spec.source.archive if spec.source else None
        if archive is None:
            return
        name = source_name(namespace, archive.sha256)
        stored = await self._store.find(name)
        if stored is None:
            words = f"no source {archive.sha256} is stored in namespace {namespace}"
            raise SourceMissing(f"{words}; PUT it to /v1/namespaces/{namespace}/sources/…")
        if stored.size != archive.size_bytes:
            words = f"the stored source has {stored.size} bytes, not {archive.size_bytes}"
            raise Invalid(f"{words}; correct sizeBytes")
        if self._now() - stored.used > TOUCH_AFTER:
            await self._touch(name)
        if name in self._uploaded:
            self._uploaded.discard(name)
        else:
            metrics.saved_bytes.inc(stored.size)

    async def _touch(self, name: str) -> None:
        async with self._store.ageing:
            try:
                await self._store.touch(name)
            except FileNotFoundError:  # the sweep was faster: as if it had never been there
                raise SourceMissing(f"the source {name} was just removed; upload it") from None

    def note_upload(self, name: str, size: int) -> None:
        """Count a source that was stored, by its object's name."""
        metrics.uploads.inc()
        metrics.uploaded_bytes.inc(size)
        if len(self._uploaded) >= REMEMBERED:  # uploaded and never submitted
            self._uploaded.clear()
        self._uploaded.add(name)
