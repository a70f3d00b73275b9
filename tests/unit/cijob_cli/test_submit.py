from pathlib import Path
from zipfile import ZipFile

import pytest

from cijob_api.objects import CIJob
from unit.cijob_cli.conftest import CI
from unit.cijob_cli.loopback import Loopback, end, event, log, problem, status

pytestmark = [pytest.mark.process, pytest.mark.usefixtures("project")]


def spec_posted(gateway: Loopback) -> dict[str, object]:
    """The spec of the last submission, which the contract takes."""
    spec: dict[str, object] = gateway.asked("POST", "jobs")[-1].json()["spec"]
    CIJob.parse({"metadata": {"name": "x"}, "spec": spec})
    return spec


def test_submit_uploads_the_directory_shows_the_log_and_ends_as_the_job(
    ci: CI, gateway: Loopback, tmp_path: Path
) -> None:
    gateway.streams = [[log("1 passed\n"), end(log_text="1 passed\n", exitCode=0)]]
    ended = ci("submit", "test")
    assert (ended.code, ended.out) == (0, "1 passed\n")
    uploaded, name, last = ended.err.splitlines()
    assert name == "ci: job test-01"
    assert uploaded.startswith("ci: uploaded ")
    assert uploaded.endswith("B (1 file)")
    assert last.startswith("ci: Succeeded (Succeeded) after ")
    assert last.endswith("s, exit code 0. Next: ci logs test-01")
    (content,) = gateway.sources.values()
    (tmp_path / "zip").write_bytes(content)
    assert ZipFile(tmp_path / "zip").namelist() == ["test_it.py"]


def test_the_next_command_is_one_that_finds_the_job_again(ci: CI, gateway: Loopback) -> None:
    gateway.streams = [[end(phase="Failed", exitCode=1)]]
    assert "Next: ci retry test-01 -n team\n" in ci("submit", "test", "-n", "team").err


def test_a_command_arrives_as_it_was_typed(ci: CI, gateway: Loopback) -> None:
    gateway.streams = [[end()]]
    ci("run", "--no-source", "--", "sh", "-c", "kill $$; echo $(date) $HOME", "$1")
    # Kubernetes makes one dollar of two, and leaves a lone one alone.
    assert spec_posted(gateway)["command"] == [
        "sh",
        "-c",
        "kill $$$$; echo $$(date) $$HOME",
        "$1",
    ]


def test_an_unchanged_tree_uploads_nothing_and_says_so(
    ci: CI, gateway: Loopback, project: Path
) -> None:
    ci("submit", "test")
    ended = ci("submit", "test")
    assert ended.err.splitlines()[0] == "ci: source unchanged, nothing uploaded"
    assert len(gateway.asked("PUT", "")) == 1
    (project / "test_it.py").write_text("changed")
    assert "ci: uploaded" in ci("submit", "test").err
    assert len(gateway.asked("PUT", "")) == 2


@pytest.mark.parametrize(
    ("ended_so", "codes", "following"),
    [
        (("Succeeded", "Completed", 0), (0, 0), "logs"),
        (("Failed", "CommandFailed", 5), (1, 5), "retry"),
        (("Failed", "OOMKilled", 0), (1, 1), "retry"),
        (("Failed", "TimedOut", 143), (124, 124), "retry"),
        (("Error", "ImagePullFailed", None), (3, 3), "get"),
        (("Cancelled", "Cancelled", 143), (6, 6), "retry"),
        (("Strange", "Newer", None), (3, 3), "retry"),
    ],
)
def test_each_end_has_its_exit_code_and_next_command(
    ci: CI,
    gateway: Loopback,
    ended_so: tuple[str, str, int | None],
    codes: tuple[int, int],  # ours, and ours with --exit-code-from-job
    *,
    following: str,
) -> None:
    phase, reason, exit_code = ended_so
    last = end(phase, reason=reason, message="why so", exitCode=exit_code)
    gateway.streams = [[last], [last]]
    ended = ci("submit", "test")
    assert ended.code == codes[0]
    words = ended.err.splitlines()[-1]
    assert words.startswith(f"ci: {phase} ({reason}) after ")
    assert words.endswith(f": why so. Next: ci {following} test-01")
    assert ci("submit", "test", "--exit-code-from-job").code == codes[1]


def test_all_options_reach_the_job(
    ci: CI, gateway: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DEPLOY_KEY", "hunter2")
    options = (
        "--name=mine --image=python:3 -e A=1 -e B=x=y --secret-env=DEPLOY_KEY --cpu=2 --memory=1Gi "
        "--timeout=15m --priority=0 --pool=fast"
    )
    ended = ci("submit", "test", ".", *options.split(), "--", "-k", "one or two")
    posted = gateway.asked("POST", "jobs")[-1].json()
    assert posted["name"] == "mine"
    assert posted["secrets"] == {"DEPLOY_KEY": "hunter2"}
    assert "hunter2" not in ended.out + ended.err
    spec = spec_posted(gateway)
    assert spec.pop("source")
    assert spec == {
        "templateRef": {"name": "test"},
        "image": "python:3",
        "args": ["-k", "one or two"],
        "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "x=y"}],
        "resources": {
            "requests": {"cpu": "2", "memory": "1Gi"},
            "limits": {"cpu": "2", "memory": "1Gi"},
        },
        "timeoutSeconds": 900,
        "priority": 0,
        "pool": "fast",
    }


def test_async_prints_the_name_alone(ci: CI, gateway: Loopback) -> None:
    ended = ci("submit", "test", "--async")
    assert (ended.code, ended.out) == (0, "test-01\n")
    assert "ci: uploaded" in ended.err


def test_no_follow_waits_without_the_log(ci: CI, gateway: Loopback) -> None:
    gateway.streams = [[log("noise\n"), end("Failed", exitCode=2)]]
    ended = ci("submit", "test", "--no-follow", "-o", "name")
    assert (ended.code, ended.out) == (1, "test-01\n")


def test_dry_run_prints_the_checked_job_and_stores_nothing(ci: CI, gateway: Loopback) -> None:
    ended = ci("submit", "test", "--dry-run", "-e", "A=1")
    assert ended.code == 0
    assert ended.out.startswith("kind: CIJob\nspec:\n")
    assert ci("submit", "test", "--dry-run", "-o", "json").out.startswith("{")
    assert (gateway.jobs, gateway.sources) == ({}, {})


def test_status_changes_are_short_lines_each_told_once(ci: CI, gateway: Loopback) -> None:
    waiting = status("Queued", "2 jobs are in front")
    gateway.streams = [
        [
            event("status", {"phase": "Queued"}),
            waiting,
            waiting,
            status("Running", attempt=2),
            end(),
        ]
    ]
    lines = ci("submit", "test").err.splitlines()
    assert lines[2:4] == ["ci: queued: 2 jobs are in front", "ci: attempt 2 running: Running"]
    assert len(lines) == 5


def test_defaults_of_the_project_fill_in_and_flags_win(
    ci: CI, gateway: Loopback, project: Path
) -> None:
    (project / "pyproject.toml").write_text(
        '[tool.ci]\ntemplate = "test"\nimage = "python:3.12"\ntimeout = "2h"\nargs = ["-q"]\n'
        'env = {A = "1", B = 2}\nresources = {memory = "2Gi"}\n'
    )
    (project / "sub").mkdir()
    (project / "sub/main.py").write_text("")
    ci("submit", "./sub", "-e", "A=3", "--image", "mine")
    spec = spec_posted(gateway)
    assert spec["templateRef"] == {"name": "test"}
    assert (spec["image"], spec["timeoutSeconds"], spec["args"]) == ("mine", 7200, ["-q"])
    assert spec["env"] == [{"name": "A", "value": "3"}, {"name": "B", "value": "2"}]
    assert spec["resources"] == {"requests": {"memory": "2Gi"}, "limits": {"memory": "2Gi"}}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["submit"], "no template: `ci submit TEMPLATE`"),
        (["submit", "test", "nowhere"], "nowhere is no directory"),
        (["submit", "test", "-e", "A"], "--env A: write NAME=VALUE"),
        (["submit", "test", "--secret-env", "NOT_SET"], "--secret-env NOT_SET: no such variable"),
        (["submit", "test", "--timeout", "soon"], "'soon' is not a duration"),
        (["submit", "test", "-o", "yaml"], "-o needs --dry-run, --async or --no-follow"),
        (["run", "make"], "no command: write it behind two dashes"),
    ],
)
def test_wrong_use_is_explained_and_exits_with_2(
    ci: CI, gateway: Loopback, *, arguments: list[str], words: str
) -> None:
    ended = ci(*arguments)
    assert (ended.code, ended.out) == (2, "")
    assert words in ended.err
    assert gateway.jobs == {}


def test_a_source_over_the_limit_is_explained_before_it_is_sent(
    ci: CI, gateway: Loopback, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway.limit = 100
    refused = ci("submit", "test")
    assert refused.code == 2
    assert "the limit is 100 B; largest before packing: test_it.py 20 B" in refused.err
    monkeypatch.setattr("cijob_cli.submission._LARGE", 10)
    puts = len(gateway.asked("PUT", ""))
    assert ci("submit", "test").err == refused.err
    assert len(gateway.asked("PUT", "")) == puts


def test_an_upload_that_breaks_is_done_again(ci: CI, gateway: Loopback, project: Path) -> None:
    down = problem(503, "unavailable", "the store is away")
    (project / ".ci.toml").write_text("")
    ci("submit", "test", "--dry-run")
    digest = gateway.asked("POST", "jobs")[-1].json()["spec"]["source"]["archive"]["sha256"]
    gateway.refusals = [(f"PUT sources/{digest}", down)] * 2
    assert ci("submit", "test").code == 0
    assert len(gateway.asked("PUT", digest)) == 3


def test_a_source_that_is_swept_between_upload_and_post_is_uploaded_again(
    ci: CI, gateway: Loopback
) -> None:
    missing = problem(409, "source-missing", "upload the source first")
    gateway.refusals = [("POST jobs", missing)] * 2
    assert ci("submit", "test").code == 0
    assert len(gateway.asked("PUT", "")) == 2


def test_every_try_of_a_submission_has_the_same_key_and_the_next_has_another(
    ci: CI, gateway: Loopback
) -> None:
    gateway.refusals = [("POST jobs", problem(503, "unavailable", "a moment"))]
    ci("submit", "test")
    first = {one.headers["idempotency-key"] for one in gateway.asked("POST", "jobs")}
    ci("submit", "test")
    both = {one.headers["idempotency-key"] for one in gateway.asked("POST", "jobs")}
    assert (len(first), len(both)) == (1, 2)
    assert all(len(key) == 26 for key in both)


def test_run_takes_a_command_and_the_directory(ci: CI, gateway: Loopback) -> None:
    ci("run", "--", "sh", "-c", "echo -- $0")
    spec = spec_posted(gateway)
    assert spec.pop("source")
    assert spec == {"templateRef": {"name": "run"}, "command": ["sh", "-c", "echo -- $0"]}


def test_run_without_a_source_uploads_nothing(ci: CI, gateway: Loopback) -> None:
    ended = ci("run", "--no-source", "--image", "busybox", "--", "true")
    assert ended.code == 0
    assert spec_posted(gateway) == {
        "templateRef": {"name": "run"},
        "image": "busybox",
        "command": ["true"],
    }
    assert "uploaded" not in ended.err


def test_what_looks_like_a_secret_is_warned_of(ci: CI, gateway: Loopback, project: Path) -> None:
    (project / ".env").write_text("PASSWORD=1")
    assert "ci: warning: 1 file in the source may hold secrets: .env;" in ci("submit", "test").err


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (problem(403, "forbidden", "you may not create cijobs in team"), 4),
        (problem(409, "name-taken", "there is a job mine; take another name"), 2),
        (problem(422, "invalid", "spec.image: must not be empty"), 2),
        (problem(500, "internal", "something broke"), 3),
        (problem(503, "unavailable", "the API server is away"), 7),
    ],
)
def test_a_problem_is_shown_in_the_gateways_words(
    ci: CI, gateway: Loopback, answer: tuple[int, dict[str, str]], code: int
) -> None:
    gateway.refusals = [("POST jobs", answer)] * 9
    ended = ci("submit", "test")
    assert (ended.code, ended.err.splitlines()[-1]) == (code, f"ci: {answer[1]['detail']}")
