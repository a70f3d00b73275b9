"""What goes over the wire, byte for byte; and that a receiver can check it."""

import base64
import hashlib
import hmac
import json
from typing import Any

import pytest

from cijob_api.cloudevents import finished, history, queued
from cijob_gateway.notifications.posts import (
    commit_of,
    commit_status,
    repository_of,
    signature,
    webhook,
    with_details,
)
from cijob_gateway.notifications.sinks import Sink
from unit.cijob_gateway import notifying
from unit.cijob_gateway.notifying import COMMIT, FAILED, GIT, RUNS, SUCCEEDED, attempt, github, job

MOMENT = 1_700_000_000


def test_a_webhook_gets_the_event_in_structured_mode() -> None:
    post = webhook(queued(job()), notifying.webhook(), MOMENT)
    assert post.url == "https://hooks.example.com/x?token=t"
    assert post.headers == {
        "Content-Type": "application/cloudevents+json; charset=utf-8",
        "User-Agent": "cijob",
        "webhook-id": "u-1.queued",
        "webhook-timestamp": "1700000000",
    }
    said = json.loads(post.body)
    assert said == queued(job()).as_json()
    assert (said["specversion"], said["id"]) == ("1.0", "u-1.queued")


def test_neither_url_nor_token_of_a_request_is_shown() -> None:
    post = webhook(queued(job()), notifying.webhook(key="secret"), MOMENT)
    assert "token=t" not in repr(post)
    assert "webhook-signature" not in repr(post)


def test_the_signature_is_that_of_standard_webhooks() -> None:
    # The example of its libraries: github.com/standard-webhooks/standard-webhooks.
    key = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    signed = signature(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert signed == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_receiver_that_knows_the_key_can_check_id_time_and_body() -> None:
    post = webhook(queued(job()), notifying.webhook(key="a long secret"), MOMENT)
    head = f"{post.headers['webhook-id']}.{post.headers['webhook-timestamp']}."
    wanted = hmac.digest(b"a long secret", head.encode() + post.body, hashlib.sha256)
    version, _, value = post.headers["webhook-signature"].partition(",")
    assert version == "v1"
    assert base64.b64decode(value) == wanted


@pytest.mark.parametrize("changed", ["key", "id", "moment", "body"])
def test_another_key_id_time_or_body_has_another_signature(changed: str) -> None:
    parts: dict[str, Any] = {"key": b"k", "identity": "i", "moment": 1, "body": b"b"}
    other = {"key": b"K", "id": "I", "moment": 2, "body": b"B"}[changed]
    name = {"id": "identity"}.get(changed, changed)
    assert signature(**parts) != signature(**{**parts, name: other})


def test_a_failure_has_its_last_lines_as_many_as_are_taken() -> None:
    event = finished(job(status=FAILED), ())
    assert with_details(event, ["a", "b"]).data["details"] == ["a", "b"]
    long = ["x" * 100_000] * 5
    assert len(with_details(event, long).data["details"]) == 2
    assert event.data["details"] == []


# -- commit statuses ---------------------------------------------------------------------------

ERROR = {**FAILED, "phase": "Error", "reason": "NodeLost", "exitCode": None}
CANCELLED = {**FAILED, "phase": "Cancelled", "reason": "Cancelled", "exitCode": None}
AGAIN = {
    "phase": "Queued",
    "reason": "BackingOff",
    "attempts": [attempt(1, 7)],
}
# status → the last event's state and description
STATES = [
    ({}, "pending", "queued"),
    (RUNS, "pending", "attempt 1 runs"),
    (AGAIN, "pending", "attempt 1: CommandFailed, exit code 7; tried again"),
    (SUCCEEDED, "success", "Completed, exit code 0"),
    (FAILED, "failure", "CommandFailed, exit code 7"),
    (ERROR, "error", "NodeLost"),
    (CANCELLED, "error", "Cancelled"),
]


@pytest.mark.parametrize(("status", "state", "description"), STATES)
def test_a_status_says_where_the_job_is(
    status: dict[str, Any], state: str, description: str
) -> None:
    subject = job(status=status, source=GIT)
    post = commit_status(history(subject)[-1], github(), subject)
    assert post is not None
    assert post.url == f"https://git.example.com/api/v1/repos/team/app/statuses/{COMMIT}"
    assert post.headers["Authorization"] == "Bearer ghp_x"
    assert json.loads(post.body) == {
        "state": state,
        "context": "cijob",
        "description": description,
    }


def test_a_status_stands_under_the_template_and_links_to_the_job() -> None:
    subject = job(source=GIT, templateRef={"name": "test"})
    sink = github(targetURL="https://ci.example.com/{namespace}/{name}?uid={uid}")
    post = commit_status(queued(subject), sink, subject)
    assert post is not None
    said = json.loads(post.body)
    assert said["context"] == "cijob/test"
    assert said["target_url"] == "https://ci.example.com/team/mine?uid=u-1"
    named = commit_status(queued(subject), github(context="nightly"), subject)
    assert named is not None
    assert json.loads(named.body)["context"] == "nightly"


def resolved(commit: str) -> dict[str, Any]:
    return {"results": {"source": {"commit": commit}}}


COMMITS = [
    ({}, {}, None),
    ({"source": GIT}, {}, COMMIT),
    ({"source": GIT}, resolved("f" * 40), COMMIT),  # what was asked for is what runs
    ({"source": {"git": {**GIT["git"], "commit": "0123abc"}}}, {}, None),
    ({"source": {"git": {**GIT["git"], "commit": "0123abc"}}}, resolved("f" * 40), "f" * 40),
    ({"source": {"git": {"url": GIT["git"]["url"]}}}, resolved("f" * 64), "f" * 64),
    ({"source": {"git": {"url": GIT["git"]["url"]}}}, resolved("HEAD"), None),
]


@pytest.mark.parametrize(("spec", "status", "commit"), COMMITS)
def test_a_commit_is_known_in_full_or_not_at_all(
    spec: dict[str, Any], status: dict[str, Any], commit: str | None
) -> None:
    assert commit_of(job(status=status, **spec)) == commit


# git URL, API → repository
REPOSITORIES = [
    ("https://github.com/team/app", "https://api.github.com", "team/app"),
    ("https://github.com/team/app.git", "https://api.github.com", "team/app"),
    ("ssh://git@github.com/team/app.git", "https://api.github.com", "team/app"),
    ("https://ghe.example.com/team/app", "https://ghe.example.com/api/v3", "team/app"),
    ("https://gitea.example.com/sub/team/app/", "https://gitea.example.com/api/v1", "team/app"),
    ("https://evil.example.com/team/app", "https://api.github.com", None),
    ("https://api.github.com.evil.example/team/app", "https://api.github.com", None),
    ("https://github.com/app", "https://api.github.com", None),
    ("https://github.com/team/a%2Fb", "https://api.github.com", None),
    ("https://github.com/team/..", "https://api.github.com", None),
    ("https://github.com/a/../b", "https://api.github.com", None),
    ("https://github.com/team/.github", "https://api.github.com", "team/.github"),
]


@pytest.mark.parametrize(("url", "api", "repository"), REPOSITORIES)
def test_a_repository_is_that_of_the_git_url_on_the_sink_s_host(
    url: str, api: str, repository: str | None
) -> None:
    spec = github().spec.model_copy(update={"url": api})
    subject = job(source={"git": {"url": url, "commit": COMMIT}})
    assert repository_of(subject, Sink("commit", spec, "t")) == repository


def test_a_sink_may_name_its_repository() -> None:
    named = github(repository="team/other")
    assert repository_of(job(source=GIT), named) == "team/other"
    assert repository_of(job(), named) == "team/other"
    assert commit_status(queued(job()), named, job()) is None  # of which commit?
