"""From a person's directory to the answer: the installed chart, the real `ci`, and nothing between.

Exit code, stdout and stderr are looked at together, as a person does.
"""

import json
import re
import shutil
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from kit import gates
from kit.cluster import ROOT, Cluster
from kit.gateway import service_account
from kit.installed import CI, Installed, forwarded
from kit.operator import job, late_starts

PASSING, FAILING = ROOT / "examples" / "passing", ROOT / "examples" / "failing"
VERBS = ("create", "get", "list", "patch", "delete")
# Until it is told to end; its last line says how many there were before it.
GOES_ON = f"i=0; until [ -e {gates.GO} ]; do echo line $i; i=$((i+1)); sleep 0.1; done; echo all $i"


def project(folder: Path, **files: str) -> Path:
    """A Python project of these files; `__` in a name is a folder."""
    for name, text in files.items():
        path = folder / (name.replace("__", "/") + ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def assert_counted(text: str) -> None:
    """All that GOES_ON wrote, once and in order."""
    *lines, last = text.splitlines()
    assert lines == [f"line {i}" for i in range(len(lines))]
    assert last == f"all {len(lines)}"


def name_in(text: str) -> str:
    """The job that stderr speaks of."""
    found = re.search(r"\b(?:test|run)-[0-9a-hjkmnp-tv-z]{26}\b", text)
    assert found, text
    return found[0]


def test_submit_shows_the_log_and_ends_as_the_tests_do(installed: Installed) -> None:
    passed = installed.ci("submit", "test", str(PASSING))
    assert passed.returncode == 0, passed.stderr
    assert "15 passed" in passed.stdout
    assert "uploaded" in passed.stderr
    failed = installed.ci("submit", "test", str(FAILING))
    assert failed.returncode == 1
    assert "FAILED tests/test_basket.py::test_a_single_thing_is_paid" in failed.stdout
    assert "Failed" in failed.stderr


def test_an_unchanged_tree_uploads_nothing_and_says_so(installed: Installed) -> None:
    for _ in range(2):
        ended = installed.ci("submit", "test", str(PASSING))
    assert "nothing uploaded" in ended.stderr
    assert ended.returncode == 0


def test_async_prints_the_name_and_wait_shows_everything(installed: Installed) -> None:
    began = installed.ci("submit", "test", str(FAILING), "--async")
    name = began.stdout.strip()
    assert (began.returncode, name) == (0, name_in(name))
    waited = installed.ci("wait", name)
    assert waited.returncode == 1
    assert "1 failed, 2 passed" in waited.stdout
    again = installed.ci("wait", name)  # after the end: the same
    assert (again.returncode, again.stdout) == (1, waited.stdout)
    assert installed.ci("logs", name).stdout == waited.stdout


def test_wait_in_the_middle_shows_all_or_only_what_comes(installed: Installed) -> None:
    began = installed.ci("run", "--no-source", "--async", "--", "sh", "-c", GOES_ON)
    name = began.stdout.strip()
    installed.until_phase(name, "Running")
    installed.cluster.until("some lines", lambda: "line 20\n" in installed.ci("logs", name).stdout)
    now = installed.start("wait", name, "--from", "now")
    first = now.line()
    gates.send_on(installed.cluster, installed.namespace, name)
    whole = installed.ci("wait", name)
    rest, err = now.rest()
    out = first + rest
    assert_counted(whole.stdout)
    assert (whole.returncode, now.code) == (0, 0), err
    assert whole.stdout.endswith(out)
    assert "line 0\n" not in out


def test_a_job_is_known_by_any_unique_part_of_its_name(installed: Installed) -> None:
    name = installed.ci("run", "--no-source", "--async", "--", "true").stdout.strip()
    assert installed.ci("wait", name[-6:]).returncode == 0
    ambiguous = installed.ci("wait", "run-")
    assert ambiguous.returncode in {0, 2}  # 0 only if it is the one job of its kind
    assert installed.ci("wait", "nonsense").returncode == 5


def test_jobs_are_listed_as_table_and_as_json(installed: Installed) -> None:
    name = installed.ci("run", "--no-source", "--async", "--", "true").stdout.strip()
    installed.ci("wait", name)
    table = installed.ci("list").stdout.splitlines()
    assert table[0].split()[:3] == ["NAME", "PHASE", "REASON"]
    assert table[1].split()[:3] == [name, "Succeeded", "Completed"]
    items = json.loads(installed.ci("list", "-o", "json").stdout)["items"]
    assert items[0]["metadata"]["name"] == name
    assert installed.ci("list", "-o", "name", "--phase", "Succeeded").stdout.split()[0] == name
    shown = json.loads(installed.ci("get", name, "-o", "json").stdout)
    assert shown["status"]["exitCode"] == 0


def test_two_users_of_a_team_see_each_others_jobs_by_name(
    cluster: Cluster, installed: Installed
) -> None:
    users = {
        user: service_account(cluster, installed.namespace, user, *VERBS) for user in ("ann", "bob")
    }
    names = {
        user: installed.ci("run", "--no-source", "--async", "--", "true", CI_TOKEN=token).stdout
        for user, token in users.items()
    }
    items = json.loads(installed.ci("list", "-o", "json", CI_TOKEN=users["ann"]).stdout)["items"]
    by_name = {i["metadata"]["name"]: i["metadata"]["annotations"] for i in items}
    for user, name in names.items():
        submitter = by_name[name.strip()]["cijob.dev/submitter"]
        assert submitter == f"system:serviceaccount:{installed.namespace}:{user}"


def test_another_teams_jobs_are_not_there(cluster: Cluster, installed: Installed) -> None:
    token = service_account(cluster, installed.other, "eve", *VERBS)
    name = installed.ci("run", "--no-source", "--async", "--", "true").stdout.strip()
    assert installed.ci("get", name, CI_TOKEN=token).returncode in {4, 5}
    assert installed.ci("logs", name, CI_TOKEN=token).returncode in {4, 5}
    refused = installed.ci("run", "--no-source", "--", "true", CI_TOKEN=token)
    assert refused.returncode == 4
    assert "may not create" in refused.stderr
    own = installed.ci("run", "--no-source", "-n", installed.other, "--", "true", CI_TOKEN=token)
    assert own.returncode == 0


def test_cancel_ends_a_job_and_who_waits_learns_it(installed: Installed) -> None:
    script = "trap 'echo told; exit 9' TERM; echo begun; sleep 300 & wait"
    waiting = installed.start("run", "--no-source", "--", "sh", "-c", script)
    assert waiting.line() == "begun\n"
    name = installed.ci("list", "-o", "name", "--phase", "Running").stdout.split()[0]
    assert installed.ci("cancel", name).returncode == 0
    out, err = waiting.rest()
    assert waiting.code == 6, err
    assert out == "told\n"
    assert installed.job(name)["status"]["exitCode"] == 9


def test_retry_runs_the_same_bytes_again(installed: Installed) -> None:
    began = installed.ci("submit", "test", str(FAILING), "--async").stdout.strip()
    installed.ci("wait", began)
    again = installed.ci("retry", began)
    assert again.returncode == 1
    assert "1 failed, 2 passed" in again.stdout
    second = json.loads(installed.ci("list", "-o", "json", "--limit", "1").stdout)["items"][0]
    assert second["spec"] == installed.job(began)["spec"]
    assert second["metadata"]["name"] != began


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({"test_syntax": "def test_it(:\n"}, "SyntaxError"),
        ({"readme": "print('no tests here')\n"}, "no tests"),
        ({"tests__test_it": "def test_it():\n    assert 1 == 2\n"}, "assert 1 == 2"),
    ],
)
def test_a_project_that_is_not_right_is_the_jobs_failure(
    installed: Installed, tmp_path: Path, files: dict[str, str], words: str
) -> None:
    ended = installed.ci("submit", "test", str(project(tmp_path, **files)))
    assert ended.returncode == 1, ended.stderr
    assert words in ended.stdout


def test_colours_stay_and_other_escapes_do_not(installed: Installed) -> None:
    script = r"printf '\033[32mgreen\033[0m 10%%\r20%%\033[2J\033]0;title\007 done\n'"
    ended = installed.ci("run", "--no-source", "--", "sh", "-c", script)
    assert ended.stdout == "\x1b[32mgreen\x1b[0m 10%\r20% done\n"
    raw = installed.ci("logs", "--raw", name_in(ended.stderr))
    assert raw.stdout == "\x1b[32mgreen\x1b[0m 10%\r20%\x1b[2J\x1b]0;title\x07 done\n"


def test_ten_at_once_all_get_their_own_answer(installed: Installed, tmp_path: Path) -> None:
    def submit(number: int) -> subprocess.CompletedProcess[str]:
        tests = {
            "test_it": f"def test_it():\n    print('I am {number}')\n    assert {number} % 2\n"
        }
        return installed.ci("submit", "test", str(project(tmp_path / str(number), **tests)))

    with ThreadPoolExecutor(10) as threads:
        ends = list(threads.map(submit, range(10)))
    for number, ended in enumerate(ends):
        assert ended.returncode == (0 if number % 2 else 1), ended.stderr
        assert (f"I am {number}" in ended.stdout) == (number % 2 == 0)


def test_a_gateway_that_restarts_costs_no_line(installed: Installed) -> None:
    name = "through-restarts"
    script = ("--", "sh", "-c", GOES_ON)
    following = installed.start("run", "--no-source", "--name", name, *script)
    seen = following.line()
    words = ("-n", installed.system, "deployment/cijob-gateway")
    installed.cluster.kubectl("rollout", "restart", *words)
    installed.cluster.kubectl("rollout", "status", *words, "--timeout=180s")
    gates.send_on(installed.cluster, installed.namespace, name)
    out, err = following.rest()
    assert_counted(seen + out)
    assert following.code == 0, err


def test_submit_from_a_subdirectory_sends_that_directory(
    installed: Installed, tmp_path: Path
) -> None:
    root = project(tmp_path, test_root="def test_root():\n    assert False\n")
    inner = project(tmp_path / "inner", test_inner="def test_inner():\n    pass\n")
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    ended = installed.ci("submit", "test", cwd=inner)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "1 passed" in ended.stdout


def test_a_tree_with_a_symlink_loop_arrives_as_it_is(installed: Installed, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "loop").symlink_to("..")
    (tmp_path / "empty").mkdir()
    tool = tmp_path / "tööl.sh"
    tool.write_text("#!/bin/sh\necho runs\n")
    tool.chmod(0o755)
    script = "readlink folder/loop; ls -d empty; ./tööl.sh; touch folder/loop/written && ls written"
    ended = installed.ci("run", str(tmp_path), "--", "sh", "-euc", script)
    assert ended.stdout == "..\nempty\nruns\nwritten\n", ended.stderr
    assert ended.returncode == 0


def test_a_job_without_a_shell_gets_its_source_before_it_starts(installed: Installed) -> None:
    template = {
        "apiVersion": "cijob.dev/v1alpha1",
        "kind": "CIJobTemplate",
        "metadata": {"name": "shell-less"},
        "spec": {"image": "cijob/minio:dev", "command": ["/minio", "--version"], "prepare": "Init"},
    }
    installed.cluster.apply(installed.namespace, template)
    ended = installed.ci("submit", "shell-less", str(PASSING))
    assert ended.returncode == 0, ended.stderr + ended.stdout
    assert "minio version" in ended.stdout


@pytest.mark.parametrize(
    ("command", "code", "reason"),
    [
        (["nosuchprogram"], 127, "CannotStart"),
        (["/etc/passwd"], 126, "CannotStart"),
        (["sh", "-c", "exit 7"], 7, "CommandFailed"),
        (["sh", "-c", "kill -9 $$"], 137, "CommandFailed"),
    ],
)
def test_how_a_command_with_a_source_ends_is_told(
    installed: Installed, command: list[str], code: int, reason: str
) -> None:
    ended = installed.ci("run", str(PASSING), "--exit-code-from-job", "--", *command)
    assert ended.returncode == code, ended.stderr
    status = installed.job(name_in(ended.stderr))["status"]
    assert (status["reason"], status["exitCode"]) == (reason, code)


def test_a_burst_right_before_the_end_arrives_whole(installed: Installed) -> None:
    ended = installed.ci("run", str(PASSING), "--", "seq", "60000")
    assert ended.stdout == "".join(f"{i}\n" for i in range(1, 60001))
    assert ended.returncode == 0


def test_a_secret_of_the_caller_reaches_the_job_and_no_object(installed: Installed) -> None:
    value = "tell-nobody-1234"
    words = ("run", "--no-source", "--secret-env", "TOKEN", "--", "sh", "-c", "echo ${#TOKEN}")
    ended = installed.ci(*words, TOKEN=value)
    assert (ended.returncode, ended.stdout) == (0, f"{len(value)}\n"), ended.stderr
    objects = installed.cluster.kubectl(
        "get", "cij,pods,events", "-n", installed.namespace, "-oyaml"
    )
    assert value not in objects.stdout
    missing = installed.ci(*words)
    assert missing.returncode == 2
    assert "TOKEN" in missing.stderr


def test_the_first_interrupt_leaves_and_the_job_runs_on(installed: Installed) -> None:
    script = f"echo up; {gates.WAITS}; echo end"
    following = installed.start("run", "--no-source", "--", "sh", "-c", script)
    assert following.line() == "up\n"
    following.process.send_signal(signal.SIGINT)
    _, err = following.rest()
    assert following.code == 130
    name = name_in(err)
    assert f"ci wait {name}" in err
    gates.send_on(installed.cluster, installed.namespace, name)
    back = installed.ci("wait", name)
    assert (back.returncode, back.stdout) == (0, "up\nend\n")


def test_events_are_one_json_object_a_line(installed: Installed) -> None:
    script = """echo plain; echo '{"type": "step"}'; exit 4"""
    ended = installed.ci("run", "--no-source", "--json-events", "--", "sh", "-c", script)
    assert ended.returncode == 1, ended.stderr
    events = [json.loads(line) for line in ended.stdout.splitlines()]
    kinds = [event["type"].removeprefix("dev.cijob.job.") for event in events]
    assert kinds == ["queued", "started", "log", "output", "failed"]
    assert events[-1]["data"]["details"] == ["plain", '{"type": "step"}']
    name = events[0]["data"]["job_id"]
    again = installed.ci("wait", name, "--json-events")
    assert (again.returncode, again.stdout) == (1, ended.stdout)


def test_one_curl_submits_and_watches(
    cluster: Cluster, installed: Installed, tmp_path: Path
) -> None:
    token = service_account(cluster, installed.namespace, "curl", *VERBS)
    zipped = shutil.make_archive(str(tmp_path / "source"), "zip", PASSING)
    with forwarded(installed) as gateway:
        done = subprocess.run(
            [
                *("curl", "-sSN", "--data-binary", f"@{zipped}"),
                *("-H", f"Authorization: Bearer {token}", "-H", "Content-Type: application/zip"),
                *("-H", "Accept: text/event-stream"),
                f"{gateway}/v1/namespaces/{installed.namespace}/jobs?template=test&follow=true",
            ],
            capture_output=True,
            text=True,
            timeout=120,
        )
    kinds = re.findall(r"^event: (\w+)$", done.stdout, re.MULTILINE)
    assert (kinds[0], kinds[-1]) == ("job", "end"), done.stdout + done.stderr
    assert "15 passed" in done.stdout
    assert '"phase":"Succeeded"' in done.stdout


def test_a_cluster_without_cijob_is_said_to_have_none(installed: Installed) -> None:
    ended = installed.ci("submit", "test", str(PASSING), CI_SYSTEM_NAMESPACE="nowhere")
    assert ended.returncode == 7
    assert "nowhere" in ended.stderr
    assert ended.stdout == ""


def test_doctor_finds_nothing_wrong_and_says_what_is(installed: Installed) -> None:
    well = installed.ci("doctor")
    assert well.returncode == 0, well.stdout + well.stderr
    ill = installed.ci("doctor", CI_TOKEN="made-up")
    assert ill.returncode == 4, ill.stdout + ill.stderr


def test_templates_are_listed_with_what_they_are_for(installed: Installed) -> None:
    listed = installed.ci("templates")
    names = {line.split()[0] for line in listed.stdout.splitlines()[1:]}
    assert {"test", "run"} <= names


def test_kubectl_alone_runs_a_job_of_the_team(installed: Installed) -> None:
    manifest = json.dumps(job("by-kubectl", templateRef={"name": "run"}, command=["echo", "hi"]))
    installed.cluster.kubectl("create", "-n", installed.other, "-f", "-", stdin=manifest)
    installed.cluster.wait(installed.other, "cij/by-kubectl", "condition=Finished")
    # Not by kubectl: the Pod goes as soon as its log is archived.
    assert installed.ci("logs", "-n", installed.other, "by-kubectl").stdout == "hi\n"


def test_kubectl_ci_is_the_same_program(installed: Installed) -> None:
    done = subprocess.run(
        [str(installed.cluster.kubectl_path), "ci", "templates"],
        env=installed.environment(PATH=f"{CI.parent}:{installed.environment()['PATH']}"),
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == installed.ci("templates").stdout


GATEWAY, OPERATOR, ARCHIVER = "cijob-gateway", "cijob-operator", "cijob-archiver"


@pytest.mark.alone  # on a busy node a late start is worth a write
@pytest.mark.seam
def test_a_submitted_job_costs_four_writes_until_its_end_and_two_after_it(
    installed: Installed,
) -> None:
    ended = installed.ci("run", str(PASSING), "--", "sleep", "2")
    name = name_in(ended.stderr)
    log = Path(installed.cluster.kind("get", "audit-log").strip())
    words = ("logs", "-n", installed.system, f"deployment/{OPERATOR}")
    said = installed.cluster.kubectl(*words).stdout.splitlines()
    late = late_starts([json.loads(line) for line in said], f"{installed.namespace}/{name}")
    until_its_end = [
        (GATEWAY, "create", "cijobs"),
        (OPERATOR, "create", "pods"),
        *[(OPERATOR, "patch", "cijobs/status") for _ in late],
        (OPERATOR, "patch", "cijobs/status"),
        (OPERATOR, "patch", "cijobs/status"),
    ]
    clean_up = [(ARCHIVER, "patch", "cijobs/status"), (OPERATOR, "delete", "pods")]
    wanted = until_its_end + clean_up
    all_of_it = lambda: len(counted(log, installed, name)) >= len(wanted)  # noqa: E731
    installed.cluster.until("the clean-up", all_of_it)
    assert counted(log, installed, name) == wanted


def counted(log: Path, installed: Installed, name: str) -> list[tuple[str, str, str]]:
    """Who wrote what for a job, in order, from the audit log."""
    found: list[dict[str, Any]] = []
    for file in log.parent.glob("audit*.log"):
        with file.open() as lines:
            found += [json.loads(line) for line in lines if name in line]
    mine = [
        e
        for e in found
        if e["stage"] == "ResponseComplete" and by(e) in {GATEWAY, OPERATOR, ARCHIVER}
    ]
    mine = [e for e in mine if e["verb"] in {"create", "update", "patch", "delete"}]
    mine = [e for e in mine if e["objectRef"].get("namespace") == installed.namespace]
    mine = [e for e in mine if e["objectRef"]["resource"] != "events"]
    return [(by(e), e["verb"], what(e)) for e in sorted(mine, key=lambda e: e["stageTimestamp"])]


def by(event: dict[str, Any]) -> str:
    user: str = event["user"]["username"]
    return user.rpartition(":")[2]


def what(event: dict[str, Any]) -> str:
    target: dict[str, str] = event["objectRef"]
    return target["resource"] + (f"/{target['subresource']}" if "subresource" in target else "")
