"""Fetching from a gateway that misbehaves: a real server on a loopback port."""

import os
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from cijob_agent.errors import (
    AgentError,
    SourceNotFound,
    SourceRejected,
    SourceUnreachable,
)
from cijob_agent.gateway import Patience, fetch
from cijob_agent.settings import Archive
from unit.cijob_agent.gateways import (
    Answer,
    Gateway,
    body,
    cut,
    problem,
    rude,
    running,
    silent,
    unsized,
)

pytestmark = pytest.mark.process

BODY = bytes(range(256)) * 4000
PATIENT = Patience(total=20, login=10, first_pause=0.001, longest_pause=0.002)
HASTY = Patience(total=0.05, login=0.02, answer=0.05, first_pause=0.001, longest_pause=0.002)
# For what needs an answer or two, on a machine that may stall.
SECONDS = Patience(total=2, login=2, answer=1, first_pause=0.001, longest_pause=0.002)


class Fetcher:
    """A token, a file to fetch into, and what was told meanwhile."""

    def __init__(self, folder: Path) -> None:
        self.token = folder / "token"
        self.token.write_text("first\n")
        self.file = tempfile.TemporaryFile()  # noqa: SIM115  # closed by the fixture
        self.told: list[str] = []

    def fetch(self, archive: Archive, patience: Patience = PATIENT) -> bytes:
        fetch(archive, str(self.token), self.file.fileno(), patience, tell=self.told.append)
        return os.pread(self.file.fileno(), archive.size + 1, 0)


@pytest.fixture
def fetcher(tmp_path: Path) -> Iterator[Fetcher]:
    made = Fetcher(tmp_path)
    yield made
    made.file.close()


def test_an_archive_is_asked_for_once_with_the_token(fetcher: Fetcher) -> None:
    with running(Gateway(body(BODY))) as gateway:
        assert fetcher.fetch(gateway.archive(BODY)) == BODY
    assert gateway.asked == [("/internal/v1/namespaces/ci/jobs/tests/source", "Bearer first")]
    assert fetcher.told == []


@pytest.mark.parametrize(
    ("trouble", "words"),
    [
        (problem(503, "the store is away", Retry_After="0"), "503: the store is away"),
        (problem(500), "500"),
        (problem(429), "429"),
        (problem(401, "not yet"), "401: not yet"),
        (problem(403), "403"),
        (cut(BODY[:9], len(BODY)), "cut after 9 of 1024000"),
        (unsized(BODY[:9]), "cut after 9 of 1024000"),
        (rude, "does not answer"),
    ],
)
def test_what_passes_is_tried_again(fetcher: Fetcher, trouble: Answer, words: str) -> None:
    with running(Gateway(trouble, trouble, body(BODY))) as gateway:
        assert fetcher.fetch(gateway.archive(BODY)) == BODY
    assert len(gateway.asked) == 3
    assert len(fetcher.told) == 2
    assert words in fetcher.told[0]


def test_the_token_is_read_anew_for_every_request(fetcher: Fetcher) -> None:
    def renew(handler: object) -> None:
        fetcher.token.write_text("second")
        problem(401)(handler)  # type: ignore[arg-type]

    with running(Gateway(renew, body(BODY))) as gateway:
        fetcher.fetch(gateway.archive(BODY))
    assert [token for _, token in gateway.asked] == ["Bearer first", "Bearer second"]


def test_a_source_that_is_gone_is_not_asked_for_again(fetcher: Fetcher) -> None:
    with (
        running(Gateway(problem(404, "no such source"))) as gateway,
        pytest.raises(SourceNotFound, match="404: no such source; submit the job again"),
    ):
        fetcher.fetch(gateway.archive(BODY))
    assert len(gateway.asked) == 1


def test_an_answer_nobody_promised_is_the_agent_s_own_failure(fetcher: Fetcher) -> None:
    with (
        running(Gateway(problem(418))) as gateway,
        pytest.raises(AgentError, match="418") as raised,
    ):
        fetcher.fetch(gateway.archive(BODY))
    assert raised.value.reason == "AgentFailed"


@pytest.mark.parametrize(
    "wrong", [BODY[::-1], BODY[:-1], BODY + b"x"], ids=["other", "short", "long"]
)
def test_wrong_bytes_are_fetched_once_more_and_then_rejected(
    fetcher: Fetcher, wrong: bytes
) -> None:
    with (
        running(Gateway(body(wrong))) as gateway,
        pytest.raises(SourceRejected, match=r"should have 1024000 bytes and sha256 \w{64}"),
    ):
        fetcher.fetch(gateway.archive(BODY))
    assert len(gateway.asked) == 2


def test_a_body_without_end_is_read_no_further_than_it_may_be(fetcher: Fetcher) -> None:
    with (
        running(Gateway(unsized(BODY * 9))) as gateway,
        pytest.raises(SourceRejected, match="more than 1024000 bytes"),
    ):
        fetcher.fetch(gateway.archive(BODY))


def test_wrong_bytes_once_are_forgiven(fetcher: Fetcher) -> None:
    with running(Gateway(body(BODY[::-1]), body(BODY))) as gateway:
        assert fetcher.fetch(gateway.archive(BODY)) == BODY


@pytest.mark.parametrize("trouble", [problem(503), problem(403), rude])
def test_trouble_that_stays_is_unreachable(fetcher: Fetcher, trouble: Answer) -> None:
    with running(Gateway(trouble)) as gateway, pytest.raises(SourceUnreachable, match=r"for|after"):
        fetcher.fetch(gateway.archive(BODY), SECONDS)
    assert len(gateway.asked) > 1


def test_a_gateway_that_is_not_there_is_unreachable(fetcher: Fetcher) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(SourceUnreachable, match="refused"):
        fetcher.fetch(Archive(f"http://127.0.0.1:{port}/", "0" * 64, 1), HASTY)


def test_a_gateway_that_falls_silent_is_unreachable(fetcher: Fetcher) -> None:
    with (
        running(Gateway(silent(b"begun", len(BODY)))) as gateway,
        pytest.raises(SourceUnreachable, match="silent"),
    ):
        fetcher.fetch(gateway.archive(BODY), SECONDS)


def test_no_message_has_the_token_in_it(fetcher: Fetcher) -> None:
    with running(Gateway(problem(403))) as gateway, pytest.raises(SourceUnreachable) as raised:
        fetcher.fetch(gateway.archive(BODY), HASTY)
    assert "first" not in "".join([str(raised.value), *fetcher.told])


def test_a_token_that_is_not_there_is_the_agent_s_own_failure(fetcher: Fetcher) -> None:
    fetcher.token.unlink()
    with pytest.raises(AgentError, match="token cannot be read"):
        fetcher.fetch(Archive("http://127.0.0.1:1/", "0" * 64, 1))
