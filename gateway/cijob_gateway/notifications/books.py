"""The sinks of each namespace as they are known now: read when needed, and kept for a while.

Used by couriers. The archiver may read one ConfigMap and one Secret of a fixed name, and may not
list or watch them: what is changed there is seen within `KEPT_SECONDS`.
"""

from collections.abc import Callable
from typing import Any, Protocol

from cijob_gateway.notifications.sinks import NAME, Found, Problem, read_sinks, unknown
from cijob_kube.errors import Denied, Gone

KEPT_SECONDS = 15.0


class Reader(Protocol):
    """Who reads objects: the API server, or a test's own."""

    async def get(self, path: str) -> dict[str, Any]: ...


class Books:
    """Sinks by namespace and name."""

    def __init__(self, reader: Reader, clock: Callable[[], float]) -> None:
        self._reader = reader
        self._clock = clock
        self._known: dict[str, tuple[float, dict[str, Found]]] = {}

    async def find(self, namespace: str, name: str) -> Found:
        """A sink, or why there is none. Raises ApiError while nobody can say."""
        until, found = self._known.get(namespace, (0.0, {}))
        if self._clock() >= until:
            try:
                found = await self._read(namespace)
            except Denied:  # the chart of before, perhaps
                words = f"the archiver may not get ConfigMap and Secret {NAME}; the chart grants it"
                return Problem("SinkUnknown", words)
            self._known[namespace] = (self._clock() + KEPT_SECONDS, found)
        return found.get(name) or unknown(name)

    async def _read(self, namespace: str) -> dict[str, Found]:
        config = await self._data(namespace, "configmaps")
        secret = await self._data(namespace, "secrets") if config else {}
        return read_sinks(config, secret)

    async def _data(self, namespace: str, kind: str) -> dict[str, str]:
        try:
            body = await self._reader.get(f"/api/v1/namespaces/{namespace}/{kind}/{NAME}")
        except Gone:
            return {}
        return body.get("data") or {}
