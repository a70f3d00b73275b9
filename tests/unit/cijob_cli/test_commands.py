import base64
import hashlib
import json
from datetime import datetime
from pathlib import Path

import pytest
import yaml

from cijob_cli.main import COMMANDS
from unit.cijob_cli.conftest import CI
from unit.cijob_cli.loopback import Loopback, end, job, log, problem

pytestmark = pytest.mark.process


QUEUE = {
    "pools": [
        {"name": "default", "running": 2, "places": 2, "queued": 3, "waitSeconds": 1200},
    ],
    "jobs": [
        {
            "namespace": "team",
            "name": "test-03",
            "pool": "default",
            "position": 3,
            "ahead": 2,
            "waitSeconds": 900,
            "message": "all 2 places of pool default are taken",
        },
        {
            "namespace": "team",
            "name": "held",
            **dict.fromkeys(("pool", "position", "ahead", "waitSeconds")),
            "message": "suspend is true",
        },
    ],
    "others": 2,
}


@pytest.fixture
def jobs(gateway: Loopback) -> None:
    attempt = {"number": 1, "podName": "test-02-1", "nodeName": "n1", "exitCode": 1}
    attempt["containerID"] = "containerd://c0ffee"
    gateway.jobs = {
        "test-02": job(
            "test-02",
            "Failed",
            reason="CommandFailed",
            message="The command exited with 1.",
            exitCode=1,
            pool="default",
            startTime="2026-01-01T12:00:00Z",
            completionTime="2026-01-01T12:00:12Z",
            attempts=[attempt],
            results={"source": {"commit": "c0ffee"}},
        ),
        "test-01": job("test-01", "Running", startTime="2026-01-01T12:00:00Z"),
    }
    gateway.jobs["test-02"]["metadata"]["annotations"] = {
        "cijob.dev/submitter": "ada",
        "cijob.dev/retry-of": "test-01",
        "cijob.dev/retry-tests": "2",
    }


@pytest.mark.usefixtures("jobs")
class TestList:
    def test_is_a_table(self, ci: CI) -> None:
        ended = ci("list")
        heading, first, second = ended.out.splitlines()
        assert " ".join(heading.split()) == "NAME PHASE REASON POOL TESTS EXIT DURATION AGE"
        assert " ".join(first.split()[:-1]) == "test-02 Failed CommandFailed default - 1 12s"
        assert second.split()[:3] == ["test-01", "Running", "-"]
        assert (ended.code, ended.err) == (0, "")

    def test_wide_has_pod_node_submitter_and_what_it_repeats(self, ci: CI) -> None:
        assert ci("list", "-o", "wide").out.splitlines()[1].split()[-5:] == [
            "test", "test-02-1", "n1", "ada", "test-01"
        ]  # fmt: skip

    def test_json_and_yaml_are_the_objects(self, ci: CI, gateway: Loopback) -> None:
        expected = {"items": list(gateway.jobs.values())}
        assert json.loads(ci("list", "-o", "json").out) == expected
        assert yaml.safe_load(ci("list", "-o", "yaml").out) == expected

    def test_those_that_are_queued_say_where_they_stand(self, ci: CI, gateway: Loopback) -> None:
        gateway.jobs["test-03"] = job("test-03", "Queued")
        assert "QUEUE" not in ci("list").out  # a gateway that is too old to tell
        gateway.queue = QUEUE
        heading, *_, last = ci("list").out.splitlines()
        assert heading.split()[-1] == "QUEUE"
        assert last.endswith("   2 ahead, ~15m")
        assert gateway.asked("GET", "/v1/queue")[-1].query["namespace"] == "team"

    def test_names_are_one_a_line(self, ci: CI) -> None:
        assert ci("list", "-o", "name").out == "test-02\ntest-01\n"

    def test_filters_are_asked_of_the_gateway(self, ci: CI, gateway: Loopback) -> None:
        ci("list", "--phase", "failed", "--template", "test", "--submitter", "ada", "--limit", "7")
        assert gateway.asked("GET", "/jobs")[-1].query == {
            "phase": "Failed", "template": "test", "submitter": "ada", "limit": "7"
        }  # fmt: skip

    def test_all_reads_every_page(self, ci: CI, gateway: Loopback) -> None:
        page = (200, {"items": [job("test-09")], "continue": "next"})
        gateway.refusals = [("GET jobs", page)]
        assert ci("list", "--all", "-o", "name").out == "test-09\ntest-02\ntest-01\n"
        assert gateway.asked("GET", "/jobs")[-1].query["continue"] == "next"

    def test_all_lists_jobs_that_are_gone_as_many_as_the_limit(
        self, ci: CI, gateway: Loopback
    ) -> None:
        gateway.gone = {"test-00": job("test-00", "Succeeded")}
        assert ci("list", "-o", "name").out == "test-02\ntest-01\n"
        assert ci("list", "--all", "-o", "name").out == "test-02\ntest-01\ntest-00\n"
        page = (200, {"items": [job("test-09"), job("test-08")], "continue": "next"})
        gateway.refusals = [("GET jobs", page)]
        assert ci("list", "--all", "--limit", "3", "-o", "name").out.split()[2:] == ["test-02"]

    def test_more_pages_are_said(self, ci: CI, gateway: Loopback) -> None:
        gateway.refusals = [("GET jobs", (200, {"items": [job("test-09")], "continue": "next"}))]
        assert ci("list").err == "ci: there are more than these 1: --all, or --limit N\n"


def test_an_empty_list_is_said_on_stderr(ci: CI) -> None:
    ended = ci("list")
    assert (ended.code, ended.out, ended.err) == (0, "", "ci: no such jobs in namespace team\n")
    assert json.loads(ci("list", "-o", "json").out) == {"items": []}


@pytest.mark.usefixtures("jobs")
class TestGet:
    def test_says_where_the_job_is_and_why_and_what_to_do(self, ci: CI) -> None:
        lines = ci("get", "test-02").out.splitlines()
        assert "phase:      Failed" in lines
        assert "message:    The command exited with 1." in lines
        assert any(line.startswith("means:      ") for line in lines)
        assert any(line.startswith("to do:      ") for line in lines)
        assert "source:     commit c0ffee" in lines
        assert "started:    2026-01-01T12:00:00+00:00" in lines
        assert "ended:      2026-01-01T12:00:12+00:00" in lines
        assert "ran for:    12s" in lines
        told = "Pod test-02-1 on n1, container containerd://c0ffee, exit code 1"
        assert lines[-1] == f"attempt 1:  {told}"

    def test_has_every_failed_test_and_what_is_missing(self, ci: CI, gateway: Loopback) -> None:
        failed = [{"name": f"tests/test_it.py::test_{n}", "message": "no"} for n in range(12)]
        gateway.outcomes["test-02"] = {
            "tests": {"failed": 12, "summary": "12/12 failed", "failures": failed},
            "collection": {"state": "Failed", "message": "the agent was killed"},
            "spent": {"queued": 1, "running": 11},
            "flaky": {"name": "test-00", "phase": "Succeeded"},
        }
        lines = ci("get", "test-02").out.splitlines()
        assert "retry of:   test-01, 2 failed tests of it" in lines
        assert "time:       queued 1s, running 11s" in lines
        assert "flaky:      test-00 ran the same and succeeded" in lines
        assert lines[-3:] == [
            "failed: tests/test_it.py::test_11",
            "    no",
            "the results were not collected: the agent was killed",
        ]
        assert sum(line.startswith("failed: ") for line in lines) == 12
        assert gateway.asked("GET", "/outcome")[0].query == {"failures": "1000"}

    def test_a_job_that_runs_is_not_asked_for_its_outcome(self, ci: CI, gateway: Loopback) -> None:
        assert ci("get", "test-01").code == 0
        assert not gateway.asked("GET", "/outcome")

    def test_json_is_the_object(self, ci: CI, gateway: Loopback) -> None:
        assert json.loads(ci("get", "test-02", "-o", "json").out) == gateway.jobs["test-02"]

    @pytest.mark.parametrize("text", ["02", "test-02", "cijob/test-02", "2"])
    def test_takes_a_name_or_how_it_ends(self, ci: CI, text: str) -> None:
        assert ci("get", text, "-o", "name").out == "test-02\n"

    def test_names_the_jobs_when_several_begin_so(self, ci: CI) -> None:
        ended = ci("get", "test-")
        assert (ended.code, ended.out) == (2, "")
        assert ended.err == "ci: 'test-' may be 2 jobs: test-02, test-01; give more of the name\n"

    def test_none_is_not_found(self, ci: CI) -> None:
        ended = ci("get", "nope")
        assert (ended.code, ended.out) == (5, "")
        assert ended.err == "ci: no job 'nope' in namespace team; see `ci list`\n"


@pytest.mark.usefixtures("jobs")
class TestCancel:
    def test_cancels_by_the_end_of_a_name(self, ci: CI, gateway: Loopback) -> None:
        ended = ci("cancel", "01")
        assert (ended.code, ended.out) == (0, "")
        assert ended.err == "ci: cancelled test-01. Next: ci logs test-01\n"
        assert gateway.jobs["test-01"]["status"]["phase"] == "Cancelled"

    def test_the_plugin_of_kubectl_names_itself_so(self, ci: CI) -> None:
        ended = ci("cancel", "01", called="kubectl-ci")
        assert ended.err == "ci: cancelled test-01. Next: kubectl ci logs test-01\n"

    def test_a_finished_job_cannot_be(self, ci: CI, gateway: Loopback) -> None:
        answer = problem(409, "job-finished", "job test-02 has finished already: Failed")
        gateway.refusals = [("POST jobs/test-02/cancel", answer)]
        ended = ci("cancel", "test-02")
        assert (ended.code, ended.err) == (2, "ci: job test-02 has finished already: Failed\n")


@pytest.mark.usefixtures("jobs")
class TestRetry:
    def test_follows_the_new_job_and_uploads_nothing(self, ci: CI, gateway: Loopback) -> None:
        gateway.streams = [[log("again\n"), end()]]
        ended = ci("retry", "02", "--name", "second")
        assert (ended.code, ended.out) == (0, "again\n")
        assert "Next: ci logs second" in ended.err
        assert gateway.asked("POST", "/jobs/test-02/retry")[0].json() == {"name": "second"}
        assert not gateway.asked("PUT", "")

    def test_only_what_failed_is_asked_of_the_gateway(self, ci: CI, gateway: Loopback) -> None:
        assert ci("retry", "--failed", "02", "--async").code == 0
        assert gateway.asked("POST", "/jobs/test-02/retry")[0].json() == {"failed": True}

    def test_what_cannot_be_chosen_is_said(self, ci: CI, gateway: Loopback) -> None:
        words = "no test of job test-02 is known to have failed"
        gateway.refusals = [("POST jobs/test-02/retry", problem(400, "bad-request", words))]
        ended = ci("retry", "--failed", "02")
        assert (ended.code, ended.out, ended.err) == (2, "", f"ci: {words}\n")

    def test_a_cut_stream_goes_on_with_the_new_job(self, ci: CI, gateway: Loopback) -> None:
        gateway.streams = [[log("one\n")], [log("two\n", second=1), end("Failed")]]
        ended = ci("retry", "02", "--name", "second")
        assert (ended.code, ended.out) == (1, "one\ntwo\n")
        assert gateway.asked("GET", "/jobs/second/logs")

    def test_async_prints_the_name(self, ci: CI, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("KEY", "value")
        ended = ci("retry", "02", "--async", "--name", "second", "--secret-env", "KEY")
        assert (ended.code, ended.out, ended.err) == (0, "second\n", "")


@pytest.mark.usefixtures("jobs")
class TestLogs:
    def test_prints_the_log_as_it_is_now(self, ci: CI, gateway: Loopback) -> None:
        gateway.log = b"one\n\x1b[2Jtwo\n\xff\nno newline"
        ended = ci("logs", "02")
        assert (ended.code, ended.out_bytes) == (0, b"one\ntwo\n\xff\nno newline")
        assert ended.err == ""
        assert ci("logs", "02", "--raw").out_bytes == gateway.log

    def test_the_part_is_asked_of_the_gateway(self, ci: CI, gateway: Loopback) -> None:
        ci("logs", "test-02", "--tail", "5", "--attempt", "2", "--timestamps")
        assert gateway.asked("GET", "/logs")[0].query == {
            "tail": "5", "attempt": "2", "timestamps": "true"
        }  # fmt: skip

    @pytest.mark.parametrize("since", ["90s", "1h30m", "2026-01-01T12:00:00.5Z"])
    def test_since_is_asked_of_the_gateway_and_not_again(
        self, ci: CI, gateway: Loopback, since: str
    ) -> None:
        gateway.streams = [[log("one\n")], [log("two\n", second=1), end()]]
        assert ci("logs", "-f", "test-02", "--since", since).out == "one\ntwo\n"
        first, second = gateway.asked("GET", "/logs")
        assert (first.query["since"], "since" in second.query) == (since, False)

    def test_a_since_that_is_no_time_is_refused(self, ci: CI) -> None:
        ended = ci("logs", "test-02", "--since", "yesterday")
        assert (ended.code, ended.out) == (2, "")
        assert "'yesterday' is no time; write 10m, 2h or 2026-01-31T12:00:00Z" in ended.err

    def test_a_time_without_a_zone_is_the_callers_own(self, ci: CI, gateway: Loopback) -> None:
        ci("logs", "test-02", "--since", "2026-01-01T12:00:00")
        asked = datetime.fromisoformat(gateway.asked("GET", "/logs")[0].query["since"])
        assert asked == datetime(2026, 1, 1, 12).astimezone()

    def test_a_log_that_is_not_what_was_archived_is_said(self, ci: CI, gateway: Loopback) -> None:
        gateway.log = b"one\n"
        digest = base64.b64encode(hashlib.sha256(b"one\n").digest()).decode()
        gateway.digest = f"sha-256=:{digest}:"
        assert (ci("logs", "02").code, ci("logs", "02").err) == (0, "")
        gateway.log = b"0ne\n"
        ended = ci("logs", "02")
        assert (ended.code, ended.out) == (3, "0ne\n")
        assert "did not arrive as it was archived; read it again: ci logs test-02" in ended.err

    def test_a_log_that_breaks_off_goes_on_where_it_was(self, ci: CI, gateway: Loopback) -> None:
        gateway.log = b"one\ntwo\nthree\nfour\n"
        digest = base64.b64encode(hashlib.sha256(gateway.log).digest()).decode()
        gateway.digest = f"sha-256=:{digest}:"
        gateway.cuts = [6, 3, 0, 11]
        ended = ci("logs", "02")
        assert (ended.code, ended.out_bytes, ended.err) == (0, gateway.log, "")
        assert len(gateway.asked("GET", "/logs")) == 5

    def test_a_log_that_breaks_off_for_good_is_said(self, ci: CI, gateway: Loopback) -> None:
        gateway.log = b"one\ntwo\nthree\n"
        gateway.cuts = [8] * 8
        ended = ci("logs", "02")
        assert (ended.code, ended.out) == (7, "one\ntwo\n")
        assert "ci: the log broke off after 2 lines: no answer from the gateway" in ended.err
        assert ended.err.endswith("; read it again: ci logs test-02\n")

    def test_a_log_that_cannot_be_had_at_all_is_said_at_once(
        self, ci: CI, gateway: Loopback
    ) -> None:
        gateway.refusals = [("GET jobs/test-02/logs", problem(503, "unavailable", "S3 is away"))]
        ended = ci("logs", "02")
        assert (ended.code, ended.out, ended.err) == (7, "", "ci: S3 is away\n")

    def test_a_log_that_is_another_one_by_then_is_said(
        self, ci: CI, gateway: Loopback, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        gateway.log = b"one\ntwo\nthree\n"
        gateway.cuts = [8]
        monkeypatch.setattr("time.sleep", lambda _: setattr(gateway, "log", b"two\nthree\nfour\n"))
        ended = ci("logs", "02", "--tail", "3")
        assert (ended.code, ended.out) == (3, "one\ntwo\n")
        assert "broke after 2 lines, and the log does not begin there any more; read" in ended.err

    def test_a_job_that_is_gone_is_found_by_how_it_ends(self, ci: CI, gateway: Loopback) -> None:
        gateway.gone = {"test-77": job("test-77", "Succeeded")}
        gateway.refusals = [("GET jobs/test-77/logs", (200, "the log"))]
        assert ci("logs", "77").out == '"the log"'

    def test_following_ends_with_0_whatever_the_job_did(self, ci: CI, gateway: Loopback) -> None:
        gateway.streams = [[log("one\n"), end("Failed")]]
        ended = ci("logs", "-f", "test-02", "--tail", "9")
        assert (ended.code, ended.out, ended.err) == (0, "one\n", "")


def test_templates_are_listed_with_what_they_are_for(ci: CI) -> None:
    heading, first = ci("templates").out.splitlines()
    assert heading.split() == ["NAME", "NAMESPACE", "IMAGE", "DESCRIPTION"]
    assert first.split()[:3] == ["test", "cijob-system", "cijob/python:dev"]
    assert ci("templates", "-o", "name").out == "test\n"
    assert json.loads(ci("templates", "-o", "json").out)["items"][0]["name"] == "test"


class TestConfig:
    def test_what_is_set_is_read_and_used(self, ci: CI, home: Path) -> None:
        assert ci("config", "set", "namespace", "mine").code == 0
        assert ci("config", "get", "namespace").out == "mine\n"
        assert ci("config", "path").out == f"{home}/.config/ci/config.toml\n"
        assert ci("config", "set", "namespace", "").code == 0
        ended = ci("config", "get", "namespace")
        assert (ended.code, ended.out) == (5, "")

    def test_the_list_says_where_each_comes_from_and_hides_the_token(self, ci: CI) -> None:
        out = ci("config", "list").out
        assert "namespace = team  # CI_NAMESPACE\n" in out
        assert "token = (hidden)  # CI_TOKEN\n" in out
        assert "secret" not in out

    def test_unknown_keys_are_refused(self, ci: CI) -> None:
        assert ci("config", "set", "colour", "red").code == 2


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script_and_how_to_install_it(ci: CI, shell: str) -> None:
    ended = ci("completion", shell)
    assert "_CI_COMPLETE" in ended.out
    assert ended.out.splitlines()[-1].startswith(f"# Install: ci completion {shell} > ")


@pytest.mark.parametrize("command", list(COMMANDS))
def test_each_command_has_help(ci: CI, command: str) -> None:
    ended = ci(command, "--help")
    assert ended.code == 0
    assert ended.out.startswith(f"Usage: ci {command} ")


def test_the_help_lists_every_command(ci: CI) -> None:
    out = ci("--help").out
    assert all(f"  {command} " in out for command in COMMANDS)


def test_an_unknown_command_is_wrong_use(ci: CI) -> None:
    assert ci("sbumit").code == 2


def test_a_bug_is_no_traceback(ci: CI, gateway: Loopback) -> None:
    gateway.refusals = [("GET jobs", (200, {"items": [{"metadata": {}}], "continue": None}))]
    ended = ci("list")
    assert (ended.code, ended.out) == (3, "")
    assert ended.err == "ci: a bug: KeyError: 'name'; CI_DEBUG=1 shows where\n"


def test_an_unknown_token_is_not_allowed(ci: CI) -> None:
    ended = ci("list", "--token", "wrong")
    assert (ended.code, ended.err) == (4, "ci: the token is not known\n")


class TestDoctor:
    def test_says_what_was_found(self, ci: CI) -> None:
        ended = ci("doctor")
        assert ended.code == 0
        assert [line.split()[:2] for line in ended.out.splitlines()] == [
            ["✓", "settings:"], ["✓", "gateway:"], ["✓", "login:"], ["✓", "rights:"],
            ["✓", "templates:"],
        ]  # fmt: skip
        assert "login:      as ada" in ended.out

    def test_missing_rights_are_4(self, ci: CI, gateway: Loopback) -> None:
        gateway.refusals = [("GET jobs", problem(403, "forbidden", "you may not list cijobs"))]
        ended = ci("doctor")
        assert ended.code == 4
        assert "✗ rights:     you may not list cijobs\n" in ended.out
        assert "✓ templates:" in ended.out

    def test_a_gateway_that_is_not_there_is_7(self, ci: CI) -> None:
        ended = ci("doctor", "--gateway", "http://127.0.0.1:1")
        assert ended.code == 7
        assert ended.out.splitlines()[-1].startswith("✗ gateway:    no answer from the gateway")


def test_the_queue_is_two_tables(ci: CI, gateway: Loopback) -> None:
    gateway.queue = QUEUE
    ended = ci("queue")
    pools, jobs = ended.out.split("\n\n")
    assert [line.split() for line in pools.splitlines()] == [
        ["POOL", "RUNNING", "PLACES", "QUEUED", "WAIT"],
        ["default", "2", "2", "3", "20m"],
    ]
    heading, first, second = jobs.splitlines()
    assert heading.split() == ["NAMESPACE", "NAME", "POOL", "AHEAD", "WAIT", "WHY"]
    assert first.split()[:5] == ["team", "test-03", "default", "2", "15m"]
    assert second.split()[:5] == ["team", "held", "-", "-", "-"]
    assert (ended.code, ended.err) == (0, "ci: 2 more jobs in the queue\n")
    assert json.loads(ci("queue", "-o", "json").out) == QUEUE
