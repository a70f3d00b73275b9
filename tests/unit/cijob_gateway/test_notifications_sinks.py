"""What a namespace's ConfigMap and Secret say, and what is said when they say it wrong."""

import base64

import pytest

from cijob_gateway.notifications.sinks import (
    MOST_SINKS,
    EventKind,
    Found,
    Kind,
    Problem,
    Sink,
    read_sinks,
)

WEBHOOK = "kind: webhook\nurl: https://hooks.example.com/ci\n"
GITHUB = "kind: github-status\nurl: https://api.github.com\n"


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def read(text: str, key: str | None = None) -> Found:
    secret = {} if key is None else {"sink": encoded(key)}
    return read_sinks({"sink": text}, secret)["sink"]


def sink(text: str, key: str | None = None) -> Sink:
    found = read(text, key)
    assert isinstance(found, Sink), found
    return found


def test_the_smallest_webhook_gets_all_events_unsigned() -> None:
    found = sink(WEBHOOK)
    assert (found.name, found.spec.kind) == ("sink", Kind.WEBHOOK)
    assert found.spec.url == "https://hooks.example.com/ci"
    assert found.spec.events == tuple(EventKind)
    assert found.signing_key == b""


def test_a_webhook_may_want_some_events_only() -> None:
    assert sink(WEBHOOK + "events: [failed]").spec.events == (EventKind.FAILED,)


def test_a_key_is_text_or_as_standard_webhooks_writes_it() -> None:
    assert sink(WEBHOOK, "a long secret\n").signing_key == b"a long secret"
    raw = bytes(range(24))
    key = "whsec_" + base64.b64encode(raw).decode()
    assert sink(WEBHOOK, key).signing_key == raw


def test_commit_statuses_have_a_token_and_words_of_their_own() -> None:
    more = "repository: team/app\ncontext: nightly\ntargetURL: https://ci.example.com/{name}\n"
    found = sink(GITHUB + more, "ghp_x")
    assert (found.spec.kind, found.key) == (Kind.GITHUB_STATUS, "ghp_x")
    assert (found.spec.repository, found.spec.context) == ("team/app", "nightly")
    assert found.spec.target_url == "https://ci.example.com/{name}"


def test_a_key_is_not_shown() -> None:
    assert "ghp_x" not in repr(sink(GITHUB, "ghp_x"))


WRONG = [
    ("[", None, "is no YAML"),
    ("", None, "Input should be a valid dictionary"),
    ("just words", None, "Input should be a valid dictionary"),
    ("url: https://a.example", None, "kind: Field required"),
    ("kind: webhook", None, "url: Field required"),
    ("kind: carrier-pigeon\nurl: https://a.example", None, "kind: Input should be"),
    (WEBHOOK + "urll: x", None, "urll: Extra inputs are not permitted"),
    (WEBHOOK + "events: [exploded]", None, "events.0: Input should be"),
    (WEBHOOK + "repository: a/b", None, "repository is not for kind webhook"),
    (GITHUB + "events: [failed]", "t", "events is not for kind github-status"),
    (GITHUB + "repository: https://github.com/a/b", "t", "repository: String should match"),
    (GITHUB, None, "has no token; put one under its name into Secret cijob-notifications"),
    ("kind: webhook\nurl: ftp://a.example", None, "url: must be https://host/…"),
    ("kind: webhook\nurl: https:///path", None, "url: must be https://host/…"),
    ("kind: webhook\nurl: //a.example", None, "url: must be https://host/…"),
    ("kind: webhook\nurl: https://a:b@c.example", None, "url: must not have a user or password"),
    ("kind: webhook\nurl: https://a.example:99999", None, "url: is no URL"),
    ("kind: webhook\nurl: 'https://a.example/ b'", None, "url: must be an https URL of plain"),
    ("kind: webhook\nurl: https://é.example/", None, "url: must be an https URL of plain"),
    ('kind: webhook\nurl: "https://a.example/\\r\\nX: y"', None, "url: must be an https URL"),
    ("kind: webhook\nurl: 'https://[::1/'", None, "url: is no URL"),
    (WEBHOOK + "#" * 5000, None, "has 5048 characters; 4096 are the limit"),
    (WEBHOOK, "two\nlines", "has a key in Secret cijob-notifications that is no line of plain"),
    (WEBHOOK, "", "has a key in Secret cijob-notifications that is no line of plain text"),
    (WEBHOOK, "whsec_a", "has a key in Secret cijob-notifications that is no line of plain text"),
    (WEBHOOK, "größer", "has a key in Secret cijob-notifications that is no line of plain text"),
]


@pytest.mark.parametrize(("text", "key", "words"), WRONG, ids=range(len(WRONG)))
def test_what_is_wrong_with_a_sink_is_said(text: str, key: str | None, words: str) -> None:
    found = read(text, key)
    assert isinstance(found, Problem)
    assert found.reason == "SinkInvalid"
    assert found.words.startswith("sink 'sink' of ConfigMap cijob-notifications: ")
    assert words in found.words
    assert "two" not in found.words  # no key in words


def test_one_wrong_sink_disturbs_no_other() -> None:
    found = read_sinks({"good": WEBHOOK, "bad": "["}, {"bad": "%%%"})
    assert isinstance(found["good"], Sink)
    assert isinstance(found["bad"], Problem)


def test_there_is_an_end_to_sinks() -> None:
    names = [f"s{n:03}" for n in range(MOST_SINKS + 1)]
    found = read_sinks(dict.fromkeys(names, WEBHOOK), {})
    assert [name for name in names if isinstance(found[name], Problem)] == [names[-1]]
