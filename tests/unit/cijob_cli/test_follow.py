import signal

import pytest

from unit.cijob_cli.conftest import CI
from unit.cijob_cli.loopback import HANG, Loopback, end, event, job, log, problem, status

pytestmark = [pytest.mark.process, pytest.mark.usefixtures("project")]
RECONNECT = event("reconnect", {})


def resumed(gateway: Loopback) -> list[str | None]:
    """The line ids behind which the log was asked for."""
    return [one.headers.get("last-event-id") for one in gateway.asked("GET", "/logs")]


def test_a_cut_stream_goes_on_behind_the_last_line(ci: CI, gateway: Loopback) -> None:
    gateway.streams = [
        [log("one\n", second=1), log("two\n", second=2)],
        [log("three\n", second=3)],
        [log("four\n", second=4), end(log_text="one\ntwo\nthree\nfour\n")],
    ]
    ended = ci("submit", "test")
    assert (ended.code, ended.out) == (0, "one\ntwo\nthree\nfour\n")
    assert resumed(gateway) == ["1.2026-01-01T12:00:02Z.0", "1.2026-01-01T12:00:03Z.0"]
    assert len(gateway.asked("POST", "jobs")) == 2  # one asked for the source
    assert "connection lost (the stream ended early)" in ended.err
    assert "warning" not in ended.err


def test_lines_that_come_again_after_a_reconnect_are_shown_once(ci: CI, gateway: Loopback) -> None:
    gateway.streams = [
        [log("one\n", second=1), log("two\n", second=2), RECONNECT],
        [log("two\n", second=2), log("three\n", second=3), end(log_text="one\ntwo\nthree\n")],
    ]
    assert ci("submit", "test").out == "one\ntwo\nthree\n"


def test_a_gateway_that_is_away_for_long_is_waited_for(ci: CI, gateway: Loopback) -> None:
    away = problem(503, "unavailable", "starting")
    gateway.streams = [[log("one\n"), RECONNECT], [end()]]
    gateway.refusals = [("GET jobs/test-01/logs", away)] * 30
    ended = ci("submit", "test")
    assert (ended.code, ended.out) == (0, "one\n")
    assert ended.err.count("connection lost") == 1
    assert ended.err.count("connected again") == 1


def test_without_an_end_there_is_no_success(ci: CI, gateway: Loopback) -> None:
    gateway.streams = [[log("one\n")]]
    gateway.refusals = [("GET jobs/test-01/logs", problem(404, "not-found", "no job test-01"))]
    ended = ci("submit", "test")
    assert (ended.code, ended.out) == (5, "one\n")
    assert ended.err.splitlines()[-1] == "ci: no job test-01"


def test_a_right_that_is_withdrawn_ends_the_stream(ci: CI, gateway: Loopback) -> None:
    document = problem(403, "forbidden", "you may no longer read this log")[1]
    gateway.streams = [[log("one\n"), event("error", document)]]
    ended = ci("submit", "test")
    assert (ended.code, ended.err.splitlines()[-1]) == (4, "ci: you may no longer read this log")


@pytest.mark.parametrize(
    ("last", "words"),
    [
        (end(log_text="one\ntwo\n"), "1 of 2 lines of the log arrived"),
        (end(log_text="0ne\n"), "1 lines arrived, but not byte for byte"),
        (end(complete=False), "the log is not complete"),
    ],
)
def test_what_is_missing_of_the_log_is_said_at_the_end(
    ci: CI, gateway: Loopback, last: bytes, words: str
) -> None:
    gateway.streams = [[log("one\n"), last]]
    ended = ci("submit", "test")
    assert (ended.code, ended.out) == (0, "one\n")
    assert words in ended.err.splitlines()[-2]
    gateway.streams = [[log("one\n"), last]]
    assert ci("logs", "-f", "test-01").code == 3


def test_a_gap_is_marked_where_it_is(ci: CI, gateway: Loopback) -> None:
    gateway.streams = [[log("one\n"), event("gap", {"message": "rotated away"}), end()]]
    assert "ci: --- lines are missing here: rotated away ---" in ci("submit", "test").err


GAP = event("gap", {"message": "rotated away"})


def test_a_gap_is_remembered_when_the_stream_is_opened_again(ci: CI, gateway: Loopback) -> None:
    streams = [[log("one\n"), GAP, log("three\n", second=3)], [log("four\n", second=4), end()]]
    gateway.streams = [*streams]
    ended = ci("submit", "test")
    assert (ended.code, ended.out) == (0, "one\nthree\nfour\n")
    assert "warning: the log is not complete: some lines were not recorded" in ended.err
    gateway.streams = [*streams]
    assert ci("logs", "-f", "test-01").code == 3


def test_a_gap_that_is_filled_when_the_stream_is_opened_again_is_none(
    ci: CI, gateway: Loopback
) -> None:
    gateway.streams = [[log("one\n"), GAP], [log("two\n", second=2), end()]]
    ended = ci("submit", "test")
    assert (ended.code, ended.out) == (0, "one\ntwo\n")
    assert "warning" not in ended.err


def test_bytes_that_are_no_text_come_out_as_they_were(ci: CI, gateway: Loopback) -> None:
    line = b"\xff\xfe ok \xc3\xbc\n".decode("utf-8", "surrogateescape")
    gateway.streams = [[log(line), end(log_text=line)]]
    ended = ci("submit", "test")
    assert ended.out_bytes == b"\xff\xfe ok \xc3\xbc\n"
    assert "warning" not in ended.err


def test_escapes_other_than_colour_are_taken_out_unless_raw(ci: CI, gateway: Loopback) -> None:
    line = "\x1b]0;title\x07\x1b[32mgreen\x1b[0m\x1b[2K\n"
    gateway.streams = [[log(line), end(log_text=line)]] * 2
    ended = ci("submit", "test")
    assert ended.out == "\x1b[32mgreen\x1b[0m\n"
    assert "warning" not in ended.err
    assert ci("submit", "test", "--raw").out == line


def test_wait_shows_the_whole_log_and_has_the_jobs_verdict(ci: CI, gateway: Loopback) -> None:
    times = {"startTime": "2026-01-01T12:00:05Z", "completionTime": "2026-01-01T12:01:10Z"}
    gateway.jobs["test-01"] = job("test-01", "Failed", **times)
    gateway.streams = [[log("one\n"), end("Failed", reason="CommandFailed", exitCode=4)]]
    ended = ci("wait", "test-01")
    assert (ended.code, ended.out) == (1, "one\n")
    assert (
        ended.err == "ci: Failed (CommandFailed) after 1m5s, exit code 4. Next: ci retry test-01\n"
    )
    gateway.streams = [[end("Failed", exitCode=4)]]
    assert ci("wait", "test-01", "--exit-code-from-job").code == 4


def test_wait_from_now_asks_for_new_lines_only(ci: CI, gateway: Loopback) -> None:
    gateway.jobs["test-01"] = job("test-01")
    gateway.streams = [[log("new\n")], [log("newer\n", second=1), end()]]
    ended = ci("wait", "test-01", "--from", "now")
    assert (ended.code, ended.out) == (0, "new\nnewer\n")
    first, second = gateway.asked("GET", "/logs")
    assert (first.query.get("from"), second.query.get("from")) == ("now", None)


def test_wait_gives_up_after_its_timeout_with_124(
    ci: CI, gateway: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_timer = signal.setitimer
    monkeypatch.setattr(signal, "setitimer", lambda which, time: set_timer(which, time / 20))
    gateway.jobs["test-01"] = job("test-01")
    gateway.streams = [[status("Queued", "waiting"), b"hang"]]
    ended = ci("wait", "test-01", "--timeout", "1s")
    assert ended.code == 124
    assert ended.err.splitlines()[-1].startswith("ci: still not finished after 1s; the job goes on")


def test_where_the_job_stands_is_said_now_and_then(ci: CI, gateway: Loopback) -> None:
    gateway.jobs["test-01"] = job("test-01")
    stands = [
        event("queue", {"position": n, "pool": "default", "waitSeconds": n * 300, "message": ""})
        for n in range(6, 0, -1)
    ]
    gateway.streams = [[status("Queued", ""), *stands, end()]]
    assert [line for line in ci("wait", "test-01").err.splitlines() if "pool" in line] == [
        "ci: queued: 5 jobs ahead in pool default, about 30m",
        "ci: queued: 2 jobs ahead in pool default, about 15m",
        "ci: queued: next in pool default, about 5m",
    ]


def test_a_gateway_that_is_not_there_is_said_soon(
    ci: CI, gateway: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI_GATEWAY", "http://127.0.0.1:1")
    for command in (["submit", "test"], ["list"], ["wait", "x"], ["submit", "test", "--async"]):
        ended = ci(*command)
        assert (ended.code, ended.out) == (7, "")
        assert "ci: no answer from the gateway at http://127.0.0.1:1: " in ended.err


def test_that_the_gateway_holds_a_job_until_its_secret_is_there_is_not_told(
    ci: CI, gateway: Loopback
) -> None:
    held = job("test-02", "Queued")
    held["metadata"]["annotations"] = {"cijob.dev/awaits-secret": "true"}
    waits = {"phase": "Queued", "reason": "Suspended", "message": "suspend is true"}
    gateway.streams = [[event("job", held), event("status", waits), end()]]
    assert "suspend" not in ci("submit", "test").err
    gateway.streams = [[event("status", waits), end()]]
    assert "ci: queued: suspend is true" in ci("submit", "test").err


def test_a_stream_without_a_heartbeat_is_opened_again(
    ci: CI, gateway: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cijob_cli.transport._TIMES", 0.2)
    gateway.streams = [[log("one\n"), HANG], [log("two\n", second=1), end()]]
    ended = ci("submit", "test")
    assert (ended.code, ended.out) == (0, "one\ntwo\n")
    assert "connection lost" in ended.err
