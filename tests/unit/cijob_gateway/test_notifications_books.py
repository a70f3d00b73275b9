"""Sinks are read when they are needed, and not each time."""

import asyncio
from typing import Any

import pytest

from cijob_gateway.notifications.books import KEPT_SECONDS, Books
from cijob_gateway.notifications.sinks import Problem, Sink
from cijob_kube.errors import Denied, Gone, Unavailable

CONFIG = {"chat": "kind: webhook\nurl: https://a.example"}


class Reader:
    """An API server with these objects; remembers what it was asked."""

    def __init__(self, **objects: dict[str, str]) -> None:
        self.objects = objects
        self.asked: list[str] = []
        self.error: Exception | None = None

    async def get(self, path: str) -> dict[str, Any]:
        self.asked.append(path)
        if self.error:
            raise self.error
        kind = path.split("/")[5]
        if kind not in self.objects:
            raise Gone(404, "NotFound", "not there")
        return {"data": self.objects[kind]}


class Scene:
    def __init__(self, **objects: dict[str, str]) -> None:
        self.reader = Reader(**objects)
        self.time = 100.0
        self.books = Books(self.reader, lambda: self.time)

    def find(self, name: str = "chat") -> Sink | Problem:
        return asyncio.run(self.books.find("team", name))


def test_two_objects_of_a_fixed_name_are_read_and_kept_for_a_while() -> None:
    scene = Scene(configmaps=CONFIG, secrets={"chat": "a2V5"})
    for _ in range(3):
        found = scene.find()
        assert isinstance(found, Sink)
        assert found.key == "key"
    assert scene.reader.asked == [
        "/api/v1/namespaces/team/configmaps/cijob-notifications",
        "/api/v1/namespaces/team/secrets/cijob-notifications",
    ]
    scene.time += KEPT_SECONDS
    scene.reader.objects["secrets"] = {"chat": "bmV3"}
    found = scene.find()
    assert isinstance(found, Sink)
    assert found.key == "new"


def test_no_secret_is_no_key() -> None:
    found = Scene(configmaps=CONFIG).find()
    assert isinstance(found, Sink)
    assert found.key == ""


def test_an_unknown_sink_is_said_by_name() -> None:
    words = "there is no sink 'chta' in ConfigMap cijob-notifications; add it there, or correct "
    assert Scene(configmaps=CONFIG).find("chta") == Problem("SinkUnknown", words + "notify")
    assert Scene().find("chta") == Problem("SinkUnknown", words + "notify")


def test_a_missing_right_is_said() -> None:
    scene = Scene()
    scene.reader.error = Denied(403, "Forbidden", "no")
    found = scene.find()
    assert isinstance(found, Problem)
    assert "the archiver may not get ConfigMap and Secret cijob-notifications" in found.words


def test_an_api_server_that_is_away_is_nobody_s_mistake_and_nothing_is_kept() -> None:
    scene = Scene(configmaps=CONFIG)
    scene.reader.error = Unavailable(0, "", "away")
    with pytest.raises(Unavailable):
        scene.find()
    scene.reader.error = None
    assert isinstance(scene.find(), Sink)
