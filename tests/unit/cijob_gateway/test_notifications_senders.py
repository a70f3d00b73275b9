"""Sending to where somebody else points: never inside, never further, never for long."""

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cijob_gateway.notifications.addresses import Policy
from cijob_gateway.notifications.posts import Post
from cijob_gateway.notifications.senders import Answer, Lookup, Outcome, Sender, verdict
from kit.gitserver import make_certificate
from kit.sink import Sink

pytestmark = pytest.mark.process
HERE = Policy.parse(["127.0.0.1"])
NOWHERE = Policy()


@pytest.fixture
def sink() -> Iterator[Sink]:
    found = Sink().start()
    yield found
    found.stop()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    return make_certificate(tmp_path_factory.mktemp("tls"), "127.0.0.1", "sink.example")


@pytest.fixture
def secure(certificate: tuple[Path, Path, Path]) -> Iterator[Sink]:
    found = Sink(certificate=certificate[1:]).start()
    yield found
    found.stop()


def here(host: str, port: int) -> list[tuple[int, str]]:
    """Name servers for which every host is on this machine."""
    return [(socket.AF_INET, "127.0.0.1")]


def send(
    url: str, policy: Policy = HERE, *, seconds: float = 10, lookup: Lookup | None = None
) -> Answer:
    async def run() -> Answer:
        sender = Sender(policy, seconds=seconds, lookup=lookup)
        return await sender.send(Post(url, {"webhook-id": "u-1.queued"}, b'{"id": "u-1.queued"}'))

    return asyncio.run(run())


def test_what_is_accepted_came_as_it_was_sent(sink: Sink) -> None:
    assert send(f"{sink.url}?token=t") == Answer(Outcome.ACCEPTED)
    (request,) = sink.requests
    assert (request.path, request.body) == ("/hook?token=t", b'{"id": "u-1.queued"}')
    assert request.headers["webhook-id"] == "u-1.queued"


# -- where to ----------------------------------------------------------------------------------

INSIDE = [
    "127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0x7f.1",
    "0177.0.0.1",
    "0",
    "0.0.0.0",  # noqa: S104
    "localhost",
    "localhost.",
    "LOCALHOST",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::1]",
    "[::]",
    "①②⑦.0.0.1",
]


@pytest.mark.parametrize("host", INSIDE)
def test_nothing_inside_is_reached_however_it_is_written(host: str, sink: Sink) -> None:
    answer = send(f"http://{host}:{sink.port}/hook", NOWHERE)
    assert answer.outcome == Outcome.AGAIN
    words = {"its url cannot be used", "its host has no address"}
    assert "is not public" in answer.words or answer.words in words
    assert sink.requests == []


def test_a_name_is_judged_by_the_address_that_is_connected_to(sink: Sink) -> None:
    answer = send(f"https://sink.example:{sink.port}/", NOWHERE, lookup=here)
    assert answer == Answer(
        Outcome.AGAIN,
        "the address 127.0.0.1 of sink.example is not public (loopback); "
        "the chart's notifications.allow can name it",
        certain=True,
    )
    assert sink.requests == []


def test_a_name_that_changes_its_address_is_looked_up_once(secure: Sink) -> None:
    asked: list[str] = []

    def rebinding(host: str, port: int) -> list[tuple[int, str]]:
        asked.append(host)
        return [(socket.AF_INET, "192.0.2.1" if len(asked) == 1 else "127.0.0.1")]

    answer = send(f"https://sink.example:{secure.port}/", NOWHERE, lookup=rebinding)
    assert "the address 192.0.2.1 of sink.example is not public" in answer.words
    assert asked == ["sink.example"]
    assert secure.requests == []


def test_of_several_addresses_only_allowed_ones_are_tried(sink: Sink) -> None:
    def both(host: str, port: int) -> list[tuple[int, str]]:
        return [(socket.AF_INET, "10.0.0.1"), (socket.AF_INET, "127.0.0.1")]

    assert send(f"http://sink.example:{sink.port}/", lookup=both).outcome == Outcome.ACCEPTED


def test_a_host_that_the_administrator_named_is_reached(sink: Sink) -> None:
    policy = Policy.parse(["sink.example"])
    assert send(f"http://sink.example:{sink.port}/", policy, lookup=here).outcome == (
        Outcome.ACCEPTED
    )
    assert send(f"http://other.example:{sink.port}/", policy, lookup=here).certain


def test_plain_http_is_for_what_the_administrator_named() -> None:
    def public(host: str, port: int) -> list[tuple[int, str]]:
        return [(socket.AF_INET, "1.1.1.1")]

    answer = send("http://sink.example/", NOWHERE, lookup=public)
    assert answer.words.startswith("sink.example is spoken to by https only")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_redirect_is_followed(status: int, sink: Sink) -> None:
    target = Sink().start()
    sink.statuses, sink.location = [status], target.url
    answer = send(sink.url)
    target.stop()
    words = f"it answered {status}, and redirects are not followed; correct its url"
    assert answer == Answer(Outcome.AGAIN, words, certain=True)
    assert (len(sink.requests), target.requests) == (1, [])


def test_the_environment_s_proxy_is_not_used(sink: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = Sink().start()
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    monkeypatch.setenv("http_proxy", proxy.url)
    assert send(sink.url).outcome == Outcome.ACCEPTED
    proxy.stop()
    assert (len(sink.requests), proxy.requests) == (1, [])


# -- https -------------------------------------------------------------------------------------


def test_a_certificate_by_the_configured_authority_is_trusted(
    secure: Sink, certificate: tuple[Path, Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    assert send(secure.url).outcome == Outcome.ACCEPTED
    named = f"https://sink.example:{secure.port}/"
    assert send(named, lookup=here).outcome == Outcome.ACCEPTED
    other = f"https://other.example:{secure.port}/"
    assert "certificate is not trusted" in send(other, lookup=here).words
    assert len(secure.accepted) == 2


def test_another_certificate_is_not(secure: Sink) -> None:
    answer = send(secure.url)
    assert answer == Answer(
        Outcome.AGAIN, "its certificate is not trusted; see the chart's caBundle"
    )
    assert secure.requests == []


# -- for how long, and how much ----------------------------------------------------------------


def test_a_sink_that_hangs_is_left_at_the_deadline(sink: Sink) -> None:
    sink.hangs = threading.Event()
    answer = send(sink.url, seconds=0.3)
    sink.hangs.set()
    assert answer == Answer(Outcome.AGAIN, "it did not answer within 0.3 s")


def test_yes_is_yes_though_the_rest_of_the_answer_never_comes(sink: Sink) -> None:
    sink.statuses, sink.delay_body, sink.hangs = [200], True, threading.Event()
    assert send(sink.url).outcome == Outcome.ACCEPTED
    sink.hangs.set()


def test_a_long_answer_is_not_read(sink: Sink) -> None:
    sink.statuses, sink.answer = [200], b"x" * 50_000_000
    assert send(sink.url).outcome == Outcome.ACCEPTED


def test_nobody_there_is_said_without_the_url(sink: Sink) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        answer = send(f"http://127.0.0.1:{closed.getsockname()[1]}/?token=secret")
    assert answer.outcome == Outcome.AGAIN
    assert answer.words.startswith("it cannot be reached (")
    assert "secret" not in answer.words


def test_a_host_without_an_address_is_said() -> None:
    def unknown(host: str, port: int) -> list[tuple[int, str]]:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    assert send("https://nobody.example/", lookup=unknown) == Answer(
        Outcome.AGAIN, "its host has no address"
    )


def test_nothing_of_an_answer_is_repeated(sink: Sink) -> None:
    sink.statuses, sink.answer = [500], json.dumps({"you": "sent Bearer ghp_x"}).encode()
    assert send(sink.url) == Answer(Outcome.AGAIN, "it answered 500")


VERDICTS = [
    (200, Outcome.ACCEPTED, False),
    (201, Outcome.ACCEPTED, False),
    (204, Outcome.ACCEPTED, False),
    (301, Outcome.AGAIN, True),
    (400, Outcome.REFUSED, True),
    (401, Outcome.AGAIN, True),  # its key may be corrected
    (403, Outcome.AGAIN, True),
    (404, Outcome.AGAIN, True),
    (408, Outcome.AGAIN, False),
    (409, Outcome.REFUSED, True),
    (410, Outcome.REFUSED, True),
    (413, Outcome.REFUSED, True),
    (422, Outcome.REFUSED, True),
    (425, Outcome.AGAIN, False),
    (429, Outcome.AGAIN, False),
    (500, Outcome.AGAIN, False),
    (501, Outcome.REFUSED, True),
    (502, Outcome.AGAIN, False),
    (503, Outcome.AGAIN, False),
]


@pytest.mark.parametrize(("status", "outcome", "certain"), VERDICTS)
def test_what_a_status_means(status: int, outcome: Outcome, *, certain: bool) -> None:
    answer = verdict(status, {})
    assert (answer.outcome, answer.certain) == (outcome, certain)


@pytest.mark.parametrize(
    ("said", "seconds"),
    [("7", 7), ("999999", 3600), ("-1", 0), ("Wed, 21 Oct 2026 07:28:00 GMT", 0), ("9" * 400, 0)],
)
def test_a_sink_may_say_when_to_come_back(said: str, seconds: float) -> None:
    assert verdict(429, {"Retry-After": said}).after == seconds
