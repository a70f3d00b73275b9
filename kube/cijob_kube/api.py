"""The API server, as few calls with plain JSON. Used by the operator and the gateway.

Raw JSON instead of the client library's models, which cost most of the time of a large answer.
Credentials come from the library (a kubeconfig, or the Pod's ServiceAccount, whose token it reads
anew as it rotates). Every write is told to whoever counts them.
"""

import asyncio
import json
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Self

import aiohttp
from kubernetes.aio import config
from kubernetes.aio.client import Configuration

from cijob_kube.errors import TIMEOUT, ApiError, Unavailable, from_status

Json = dict[str, Any]
REQUEST_SECONDS = 20
MERGE_PATCH = "application/merge-patch+json"
PAGE_SIZE = 500
# A watch or a followed log may be silent; a server that is gone without a word shows by this.
SILENT_SECONDS = 330
WATCH_SECONDS = 300
CHUNK_BYTES = 256 * 1024
GATHER_BYTES = 64 * 1024

# Told of every write: HTTP method, path and status.
Counter = Callable[[str, str, int], None]


def _uncounted(method: str, path: str, status: int) -> None:
    """Who counts nothing."""


class Api:
    """A connection to the API server; made by `connect`."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        configuration: Configuration,
        *,
        count_write: Counter = _uncounted,
    ) -> None:
        self._session = session
        self._configuration = configuration
        self._count_write = count_write

    @classmethod
    @asynccontextmanager
    async def connect(
        cls, *, count_write: Counter = _uncounted, connections: int = 64
    ) -> AsyncIterator[Self]:
        """Connect as a Pod's ServiceAccount inside one, else as the kubeconfig says.

        `connections` bounds how many there are at a time, streams included; 0 is no bound.
        """
        configuration = Configuration()
        try:
            config.load_incluster_config(configuration)  # type: ignore[no-untyped-call]
        except config.ConfigException:
            await config.load_kube_config(  # type: ignore[no-untyped-call]
                client_configuration=configuration
            )
        tls = ssl.create_default_context(cafile=configuration.ssl_ca_cert)
        if configuration.cert_file:
            tls.load_cert_chain(configuration.cert_file, configuration.key_file)
        if not configuration.verify_ssl:
            tls.check_hostname = False
            tls.verify_mode = ssl.CERT_NONE
        connector = aiohttp.TCPConnector(ssl=tls, limit=connections)
        timeout = aiohttp.ClientTimeout(total=REQUEST_SECONDS)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
            yield cls(session, configuration, count_write=count_write)

    async def get(self, path: str, **query: str) -> Json:
        """Read one object, or one page of a list. Raises ApiError."""
        return await self._call("GET", path, query=query)

    async def pages(self, path: str, **query: str) -> AsyncIterator[tuple[list[Json], int]]:
        """Read a whole list, page by page: all of it at once is the most memory ever used.

        Each page comes with the version of the list, the same for all of them. Raises ApiError.
        """
        token = ""
        while True:
            page = await self.get(path, limit=str(PAGE_SIZE), **{"continue": token}, **query)
            token = page["metadata"].get("continue") or ""
            yield page.pop("items"), int(page["metadata"]["resourceVersion"])
            if not token:
                return

    async def create(self, path: str, body: Json, **query: str) -> Json:
        """Create an object in a collection. Raises AlreadyExists and other ApiErrors."""
        return await self._call("POST", path, body=body, query=query)

    async def replace(self, path: str, body: Json) -> Json:
        """Replace an object whose body carries its resourceVersion. Raises Conflict."""
        return await self._call("PUT", path, body=body)

    async def patch(self, path: str, body: Json, *, manager: str) -> Json:
        """Merge-patch an object; with a resourceVersion in the body, Conflict if it moved on."""
        return await self._call("PATCH", path, body=body, query={"fieldManager": manager})

    async def delete(self, path: str, *, uid: str) -> Json:
        """Delete an object if it still is the one with `uid`; the answer. Raises Gone, Conflict."""
        options: Json = {"preconditions": {"uid": uid}, "propagationPolicy": "Background"}
        return await self._call("DELETE", path, body=options)

    async def watch(self, path: str, *, version: str, **query: str) -> AsyncIterator[Json]:
        """Events of a collection after a version: `{"type", "object"}`, bookmarks among them.

        Ends by itself after some minutes: watch again from the last version. Raises Gone when the
        version is too old (list again) and Unavailable when the connection is cut.
        """
        asked = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(WATCH_SECONDS),
            "resourceVersion": version,
            **query,
        }
        async for line in self._lines(path, asked):
            event = _parse(line)
            if event.get("type") == "ERROR":
                problem = event.get("object") or {}
                raise from_status(int(problem.get("code") or 500), problem)
            if "object" in event:
                yield event

    async def _lines(self, path: str, query: Mapping[str, str]) -> AsyncIterator[bytes]:
        rest = b""
        async for chunk in self.stream(path, query):
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                yield line

    async def stream(
        self, path: str, query: Mapping[str, str], *, gather: float = 0
    ) -> AsyncIterator[bytes]:
        """The body of an answer as it comes, in chunks of no certain size.

        With `gather`, what comes in so many seconds after a chunk is one chunk while much comes:
        a followed log has its own packet for each line, and to be woken for each costs more than
        all that is done with it.

        Raises ApiError, also in the middle; the connection is closed when the caller stops.
        """
        timeout = aiohttp.ClientTimeout(
            total=None, sock_connect=REQUEST_SECONDS, sock_read=SILENT_SECONDS
        )
        try:
            async with self._session.get(
                f"{self._configuration.host}{path}",
                params=query,
                headers=await self._headers("GET"),
                timeout=timeout,
            ) as response:
                if response.status >= 400:
                    raise from_status(response.status, _parse(await response.read()))
                clock = asyncio.get_running_loop().time
                asked = clock()
                async for chunk in response.content.iter_chunked(CHUNK_BYTES):
                    is_busy = clock() - asked < gather
                    yield chunk
                    if is_busy and len(chunk) < GATHER_BYTES:
                        with undisturbed(response):
                            await asyncio.sleep(gather)
                    asked = clock()
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise Unavailable(0, "", f"the API server cannot be reached: {error}") from error

    async def _call(
        self,
        method: str,
        path: str,
        *,
        body: Json | None = None,
        query: Mapping[str, str] | None = None,
    ) -> Json:
        kept = {key: value for key, value in (query or {}).items() if value}
        try:
            async with self._session.request(
                method,
                f"{self._configuration.host}{path}",
                params=kept,
                data=None if body is None else json.dumps(body, separators=(",", ":")),
                headers=await self._headers(method),
            ) as response:
                content = await response.read()
                status = response.status
        except TimeoutError as error:
            words = f"the API server did not answer within {REQUEST_SECONDS} s"
            raise Unavailable(0, TIMEOUT, words) from error
        except (aiohttp.ClientError, OSError) as error:
            raise Unavailable(0, "", f"the API server cannot be reached: {error}") from error
        answer = _parse(content)
        if method != "GET":
            self._count_write(method, path, status)
        if status >= 400:
            raise from_status(status, answer, creating=method == "POST")
        return answer

    async def _headers(self, method: str) -> dict[str, str]:
        kind = MERGE_PATCH if method == "PATCH" else "application/json"
        headers = {"Content-Type": kind, "Accept": "application/json"}
        if token := await self._configuration.get_api_key_with_prefix(
            "BearerToken", "authorization"
        ):
            headers["Authorization"] = token
        return headers


@contextmanager
def undisturbed(response: aiohttp.ClientResponse) -> Iterator[None]:
    """Let what comes meanwhile lie in the kernel, up to GATHER_BYTES."""
    connection = response.connection
    transport = connection.transport if connection else None
    if transport is None:  # all has come
        yield
        return
    peer = transport.get_extra_info("socket")
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, GATHER_BYTES)
    try:
        yield
    finally:
        if not transport.is_closing():
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, 1)


def _parse(content: bytes) -> Json:
    try:
        answer = json.loads(content)
    except ValueError:  # a proxy in between, or a body cut short
        return {"message": content[:200].decode(errors="replace")}
    return answer if isinstance(answer, dict) else {}


def is_quota(error: ApiError) -> bool:
    """Whether a refused create was refused by a ResourceQuota, which may have room later."""
    # "status unknown": the quota is new, and nobody has counted its usage yet.
    words = ("exceeded quota", "status unknown for quota")
    return error.status == 403 and any(part in error.message for part in words)
