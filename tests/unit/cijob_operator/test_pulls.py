"""How long images were pulled, from the kubelet's words; whatever else comes says nothing."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from cijob_kube.errors import Gone, Unavailable
from cijob_operator import pulls as pulls_module
from cijob_operator.pulls import PULLED, Pulls, listen, pull_seconds

Json = dict[str, Any]
JOB, AGENT, INIT = (f"spec.{kind}" for kind in ("containers{job}", "containers{agent}",
                                                "initContainers{agent}"))  # fmt: skip


def pulled(took: str = "1s", uid: str = "pod", container: str = JOB, version: int = 1) -> Json:
    return {
        "metadata": {"resourceVersion": str(version)},
        "involvedObject": {"uid": uid, "fieldPath": container},
        "message": f'Successfully pulled image "registry/a:1" in {took}. Image size: 7 bytes.',
    }


@pytest.mark.parametrize(
    ("took", "seconds"),
    [
        ("8.119s (8.119s including waiting)", 8.119),
        ("4.081s (11.999s including waiting)", 11.999),
        ("1m2.5s (1m2.5s including waiting)", 62.5),
        ("1h0m3s (1h0m3s including waiting)", 3603),
        ("250ms (250ms including waiting)", 0.25),
        ("12µs (12µs including waiting)", 0),
        ("1.5s", 1.5),  # kubelets before 1.25
        ("a while", 0),
    ],
)
def test_the_kubelet_s_words_as_seconds(took: str, seconds: float) -> None:
    assert pull_seconds(pulled(took)["message"]) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "message",
    [
        "",
        'Container image "a" already present on machine',
        'Pulling image "a"',
        'Failed to pull image "a": in 3s (4s including waiting)',
        'Successfully pulled image "a" in',
    ],
)
def test_other_words_are_no_pull(message: str) -> None:
    assert pull_seconds(message) == 0


def test_a_pod_s_containers_are_pulled_for_one_after_the_other() -> None:
    pulls = Pulls()
    for event in (pulled("1s", container=AGENT), pulled("2s"), pulled("2s"), pulled("9s", "other")):
        pulls.take(event)
    assert (pulls.seconds("pod"), pulls.seconds("other"), pulls.seconds("none")) == (3, 9, 0)


def test_an_agent_before_the_job_was_pulled_for_too() -> None:
    pulls = Pulls()
    pulls.take(pulled("4s", container=INIT))
    assert pulls.seconds("pod") == 4


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"involvedObject": None, "message": None},
        pulled(uid=""),
        pulled(container="spec.containers{web}"),
    ],
)
def test_what_is_not_of_ours_is_not_kept(event: Json) -> None:
    pulls = Pulls()
    pulls.take(event)
    assert pulls.seconds("pod") == 0


def test_only_so_many_pods_are_remembered_the_newest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulls_module, "MOST_PODS", 2)
    pulls = Pulls()
    for uid in "abc":
        pulls.take(pulled(uid=uid))
    assert [pulls.seconds(uid) for uid in "abc"] == [0, 1, 1]


class Server:
    """The Events of an API server: what each watch brings, and how it ends."""

    def __init__(self, *watches: list[Json] | Exception) -> None:
        self._watches = list(watches)
        self.asked: list[tuple[str, str, str]] = []
        self.idle = asyncio.Event()  # it has no more to tell

    async def watch(self, path: str, *, version: str, **query: str) -> AsyncIterator[Json]:
        self.asked.append((path, version, query["fieldSelector"]))
        if not self._watches:
            self.idle.set()
            await asyncio.Event().wait()
        found = self._watches.pop(0)
        if isinstance(found, Exception):
            raise found
        for body in found:
            yield {"type": "ADDED", "object": body}


def heard(server: Server, *namespaces: str) -> Pulls:
    """What is known when the server has no more to tell."""
    pulls = Pulls()

    async def go() -> None:
        task = asyncio.create_task(listen(server, pulls, namespaces))
        await server.idle.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(go())
    return pulls


def test_a_watch_goes_on_where_the_last_one_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulls_module, "AGAIN_SECONDS", 0)
    server = Server(
        [pulled("1s", version=4), pulled("2s", "next", version=7)],
        Unavailable(0, "", "away"),
        [pulled("3s", "last", version=9)],
        Gone(410, "Expired", "too old"),
    )
    pulls = heard(server)
    assert [pulls.seconds(uid) for uid in ("pod", "next", "last")] == [1, 2, 3]
    assert [version for _, version, _ in server.asked] == ["", "7", "7", "9", ""]
    assert {path for path, _, _ in server.asked} == {"/api/v1/events"}
    assert {selector for _, _, selector in server.asked} == {PULLED}


def test_each_namespace_is_listened_to_by_itself() -> None:
    server = Server()
    heard(server, "ci", "team")
    paths = [path for path, _, _ in server.asked]
    assert paths == ["/api/v1/namespaces/ci/events", "/api/v1/namespaces/team/events"]
