"""The API server over plain HTTP: kubectl's start-up time is longer than what is measured here."""

import asyncio
import base64
import json
import ssl
import tempfile
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from time import perf_counter
from typing import Any

import aiohttp
import yaml

Json = dict[str, Any]
Seen = Callable[[str, Json, float], None]  # the event's type, its object, and when it was read
JOBS = "/apis/cijob.dev/v1alpha1"
IN_PARALLEL = 32


class Refused(Exception):
    """The API server said no, in its own words."""


class Api:
    """A connection with the rights of a kubeconfig; made by `connect`."""

    def __init__(self, session: aiohttp.ClientSession, server: str) -> None:
        self._session = session
        self._server = server

    async def send(self, method: str, path: str, body: Json | None = None) -> Json:
        """One request and its answer. Raises Refused."""
        kind = "application/merge-patch+json" if method == "PATCH" else "application/json"
        async with self._session.request(
            method,
            self._server + path,
            data=None if body is None else json.dumps(body),
            headers={"Content-Type": kind},
        ) as response:
            answer: Json = await response.json()
            if response.status >= 400:
                raise Refused(f"{method} {path}: {response.status} {answer.get('message')}")
            return answer

    async def send_all(self, requests: Iterable[tuple[str, str, Json]]) -> None:
        """Many requests, some at a time, in no order."""
        waiting = iter(requests)

        async def sender() -> None:
            for method, path, body in waiting:
                await self.send(method, path, body)

        await asyncio.gather(*(sender() for _ in range(IN_PARALLEL)))

    async def watch(self, path: str, seen: Seen) -> None:
        """Tell of every change of a collection from now on, until cancelled.

        The API server ends the watch of a reader that is too slow for it: it is opened again where
        it ended. Raises Refused when that is too long ago.
        """
        version = (await self.send("GET", f"{path}?limit=1"))["metadata"]["resourceVersion"]
        forever = aiohttp.ClientTimeout(total=None)
        while True:
            url = f"{self._server}{path}?watch=1&resourceVersion={version}"
            async with self._session.get(url, timeout=forever) as response:
                if response.status >= 400:
                    raise Refused(f"the watch of {path}: {await response.text()}")
                async for line in response.content:
                    now = perf_counter()
                    event = json.loads(line)
                    if event["type"] == "ERROR":
                        raise Refused(f"the watch of {path}: {event['object'].get('message')}")
                    version = event["object"]["metadata"]["resourceVersion"]
                    seen(event["type"], event["object"], now)


@asynccontextmanager
async def connect(kubeconfig: str) -> AsyncIterator[Api]:
    """Connect as the first user of a kubeconfig, given as text, to its first cluster."""
    parsed = yaml.safe_load(kubeconfig)
    cluster, user = parsed["clusters"][0]["cluster"], parsed["users"][0]["user"]
    authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
    tls = ssl.create_default_context(cadata=authority)
    with tempfile.NamedTemporaryFile() as pair:
        for part in ("client-certificate-data", "client-key-data"):
            pair.write(base64.b64decode(user[part]))
        pair.flush()
        tls.load_cert_chain(pair.name)
    connector = aiohttp.TCPConnector(ssl=tls, limit=100)
    async with aiohttp.ClientSession(connector=connector, read_bufsize=2**20) as session:
        yield Api(session, cluster["server"])


@asynccontextmanager
async def watching(api: Api, watches: Mapping[str, Seen]) -> AsyncIterator[None]:
    """Watch several collections while the block runs; a watch that breaks breaks the block."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(api.watch(path, seen)) for path, seen in watches.items()]
        await asyncio.sleep(1)  # every watch is open before anything is made
        yield
        for task in tasks:
            task.cancel()


@asynccontextmanager
async def namespace(api: Api, name: str) -> AsyncIterator[str]:
    """A namespace that enforces Pod Security `restricted`; it goes afterwards, unattended."""
    label = {"pod-security.kubernetes.io/enforce": "restricted"}
    body = {"metadata": {"name": name, "labels": label}}
    await api.send("POST", "/api/v1/namespaces", body)
    try:
        accounts = f"/api/v1/namespaces/{name}/serviceaccounts"
        await until(api, accounts, lambda answer: bool(answer["items"]))
        yield name
    finally:
        # Pods on fake nodes have no kubelet that would end them.
        now = {"gracePeriodSeconds": 0, "propagationPolicy": "Background"}
        await api.send("DELETE", f"{JOBS}/namespaces/{name}/cijobs", now)
        await api.send("DELETE", f"/api/v1/namespaces/{name}", {})


async def until(api: Api, path: str, holds: Callable[[Json], bool], *, seconds: float = 60) -> None:
    """Ask for an object until something holds of it. Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while True:
            if holds(await api.send("GET", path)):
                return
            await asyncio.sleep(0.2)
