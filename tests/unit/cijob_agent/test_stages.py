"""The agent as a process: its stages, its last words, and what is left when it is killed."""

import os
import signal
import stat
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from cijob_agent import clocks, control
from cijob_agent.stages import run
from unit.cijob_agent.collectors import TOKEN, Collector
from unit.cijob_agent.forging import Item, archive, link, listing
from unit.cijob_agent.gateways import Answer, Gateway, body, problem, running, silent
from unit.cijob_agent.pods import Job, Pod, environment, told

pytestmark = pytest.mark.process

SOURCE = archive(Item("tests/run", b"#!/bin/sh\n", mode=0o100755), link("l", "tests"))


@pytest.fixture
def pod(tmp_path: Path) -> Iterator[Pod]:
    kept = [(number, signal.getsignal(number)) for number in (signal.SIGTERM,)]
    mask = os.umask(0o022)
    made = Pod(tmp_path)
    yield made
    for process in made.started:
        process.kill()
        process.wait()
    for number, handler in kept:
        signal.signal(number, handler)
    os.umask(mask)


def test_beside_the_job_it_leaves_a_workspace_and_says_ready(pod: Pod) -> None:
    with running(Gateway(body(SOURCE))) as gateway:
        assert run(environment(gateway.archive(SOURCE)), pod.paths) == 0
    assert [row[0] for row in listing(pod.workspace)] == ["l", "tests", "tests/run"]
    assert stat.S_ISFIFO((pod.control / "alive").stat().st_mode)
    assert sorted(path.name for path in pod.control.iterdir()) == ["alive", "home", "ready", "tmp"]
    assert stat.S_IMODE((pod.control / "home").stat().st_mode) == 0o700
    assert pod.said() == {"stage": "done", "message": ""}


def test_before_the_job_it_leaves_a_workspace_and_nobody_waits(pod: Pod) -> None:
    with running(Gateway(body(SOURCE))) as gateway:
        told = environment(gateway.archive(SOURCE), CIJOB_PREPARE="Init")
        # Twice: the kubelet may run an init container again.
        assert [run(told, pod.paths) for _ in range(2)] == [0, 0]
    assert (pod.workspace / "tests/run").exists()
    assert sorted(path.name for path in pod.control.iterdir()) == ["home", "tmp"]
    assert pod.said()["stage"] == "done"


LATE = 0.5


def late(request: BaseHTTPRequestHandler) -> None:
    time.sleep(LATE)
    body(SOURCE)(request)


def test_before_the_job_all_that_it_takes_is_waited_for(pod: Pod) -> None:
    with running(Gateway(late)) as gateway:
        assert run(environment(gateway.archive(SOURCE), CIJOB_PREPARE="Init"), pod.paths) == 0
    assert pod.waited() >= LATE


def test_beside_a_job_that_has_not_begun_nothing_is_waited_for(pod: Pod) -> None:
    """Its image is being pulled, say: no second is counted twice."""
    with running(Gateway(late)) as gateway:
        assert run(environment(gateway.archive(SOURCE)), pod.paths) == 0
    assert pod.waited() == 0


def test_beside_a_job_that_waits_its_wait_counts(pod: Pod) -> None:
    (pod.control / "waiting").touch()
    with running(Gateway(late)) as gateway:
        assert run(environment(gateway.archive(SOURCE)), pod.paths) == 0
    assert pod.waited() >= LATE


@pytest.mark.parametrize(("since", "waited"), [(3600, 5), (2, 2), (-3600, 0)])
def test_whatever_the_job_makes_of_the_file_it_waited_for_no_longer_than_we_took(
    tmp_path: Path, since: float, waited: float
) -> None:
    (tmp_path / "waiting").touch()
    moment = time.time() - since
    os.utime(tmp_path / "waiting", (moment, moment))
    assert control.waited(str(tmp_path), 5) == pytest.approx(waited, abs=1)


def test_a_job_that_waits_behind_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "waiting").symlink_to("/nowhere")
    assert control.waited(str(tmp_path), 5) < 5


def test_without_a_source_it_is_ready_at_once(pod: Pod) -> None:
    assert run({}, pod.paths) == 0
    assert (pod.control / "ready").exists()


@pytest.mark.parametrize(
    ("answer", "given", "ends"),
    [
        (problem(404), SOURCE, ("fetch", "SourceNotFound")),
        (body(SOURCE[::-1]), SOURCE, ("fetch", "SourceRejected")),
        (body(SOURCE[:-1]), SOURCE[:-1], ("verify", "SourceRejected")),
        (problem(400), SOURCE, ("fetch", "AgentFailed")),
    ],
)
def test_a_failure_has_a_stage_and_a_reason_and_the_job_never_starts(
    pod: Pod, answer: Answer, given: bytes, ends: tuple[str, str]
) -> None:
    with running(Gateway(answer)) as gateway:
        assert run(environment(gateway.archive(given)), pod.paths) == 1
    said = pod.said()
    assert (said["stage"], said["reason"]) == ends
    assert said["message"]
    assert not (pod.control / "ready").exists()


def test_broken_data_is_found_while_it_is_unpacked(pod: Pod) -> None:
    wrong = archive(Item("a", b"x", central={"crc": 1}, local={"crc": 1}))
    with running(Gateway(body(wrong))) as gateway:
        assert run(environment(gateway.archive(wrong)), pod.paths) == 1
    assert (pod.said()["stage"], pod.said()["reason"]) == ("unpack", "SourceRejected")
    assert not (pod.control / "ready").exists()


def test_too_large_a_source_names_the_limit(pod: Pod) -> None:
    with running(Gateway(body(SOURCE))) as gateway:
        told = environment(gateway.archive(SOURCE), CIJOB_WORKSPACE_BYTES="4096")
        assert run(told, pod.paths) == 1
    assert pod.said()["reason"] == "SourceTooLarge"
    assert "4.0 KiB" in pod.said()["message"]


def test_a_setting_that_is_wrong_is_the_agent_s_failure(pod: Pod) -> None:
    assert run({"CIJOB_PREPARE": "Later"}, pod.paths) == 1
    assert pod.said()["reason"] == "AgentFailed"
    assert "CIJOB_PREPARE" in pod.said()["message"]


def test_a_node_that_refuses_to_write_is_the_agent_s_failure(pod: Pod) -> None:
    pod.workspace.rmdir()
    with running(Gateway(body(SOURCE))) as gateway:
        assert run(environment(gateway.archive(SOURCE)), pod.paths) == 1
    assert pod.said()["reason"] == "AgentFailed"
    assert "workspace" in pod.said()["message"]


def test_nothing_that_the_job_can_read_has_the_token_in_it(pod: Pod) -> None:
    with running(Gateway(problem(403), problem(503), body(SOURCE))) as gateway:
        assert run(environment(gateway.archive(SOURCE)), pod.paths) == 0
    assert gateway.asked[0][1] == f"Bearer {TOKEN}"
    readable = [*listing(pod.workspace), *listing(pod.control)]
    assert not any(TOKEN.encode() in content for _, _, content in readable)
    assert TOKEN not in pod.words.read_text()


def test_killed_while_it_fetches_its_stage_stays(pod: Pod) -> None:
    with running(Gateway(silent(SOURCE[:9], len(SOURCE)))) as gateway:
        process = pod.start(gateway.archive(SOURCE))
        wait_for_request(gateway, process)
        process.kill()
        assert process.wait() == -signal.SIGKILL
    assert pod.said()["stage"] == "fetch"
    assert "reason" not in pod.said()
    assert not (pod.control / ".archive").exists()


def test_told_to_stop_while_it_fetches_it_ends_at_once_and_says_so(pod: Pod) -> None:
    with running(Gateway(silent(SOURCE[:9], len(SOURCE)))) as gateway:
        process = pod.start(gateway.archive(SOURCE))
        wait_for_request(gateway, process)
        process.terminate()
        assert process.wait(timeout=30) == 143
    assert pod.said() == {
        "stage": "fetch",
        "message": "told to stop (TERM) before the source was ready",
    }


def wait_for_request(gateway: Gateway, process: "subprocess.Popen[bytes]") -> None:
    while not gateway.asked:
        assert process.poll() is None


def slow_to_verify() -> bytes:
    """Links through forty others, by long ways: each is walked to its end."""
    way = "./" * 1900
    return archive(*[link(f"l{n}", f"{way}l{n + 1}") for n in range(1500)])


def slow_to_unpack() -> bytes:
    """Many small files."""
    return archive(*[Item(f"f{n}", b"x") for n in range(20_000)])


@pytest.mark.parametrize(
    ("stage", "make"), [("verify", slow_to_verify), ("unpack", slow_to_unpack)]
)
def test_killed_at_a_later_stage_that_stage_stays(
    pod: Pod, stage: str, make: Callable[[], bytes]
) -> None:
    source = make()
    with running(Gateway(body(source))) as gateway:
        process = pod.start(gateway.archive(source))
        while not pod.words.exists() or f'"{stage}"' not in pod.words.read_text():
            assert process.poll() is None
        process.kill()
        assert process.wait() == -signal.SIGKILL
    assert pod.said()["stage"] == stage
    assert "reason" not in pod.said()
    assert not (pod.control / "ready").exists()


# -- results -----------------------------------------------------------------------------------


WHEELS = {
    "artifacts": [
        {"name": "wheel", "path": "wheel", "when": "OnSuccess"},
        {"name": "log", "path": "log", "when": "OnFailure"},
    ]
}


@pytest.mark.parametrize(
    ("code", "kept"),
    [("0\n", "wheel"), ("3\n", "log"), (None, "log"), ("forged", "log"), ("00x", "log")],
)
def test_it_stays_until_the_job_ends_and_collects_by_its_exit_code(
    pod: Pod, code: str | None, kept: str
) -> None:
    for name in ("wheel", "log"):
        (pod.workspace / name).write_text(name)
    with running(Collector()) as collector:
        process = pod.run(told(collector, **WHEELS))
        job = Job(pod)
        job.begin()
        process.terminate()  # for the command: the agent goes on
        assert collector.asked == []
        assert process.poll() is None
        job.end(code)
        assert process.wait(timeout=30) == 0
    assert list(collector.bodies) == [f"artifacts/{kept}"]
    assert pod.said() == {"stage": "done", "message": "1 artifacts and 0 reports"}


def test_an_exit_code_that_is_a_link_or_a_fifo_is_none(pod: Pod) -> None:
    (pod.folder / "zero").write_text("0")
    (pod.control / "exit-code").symlink_to(pod.folder / "zero")
    assert control.exit_code(str(pod.control)) is None
    (pod.control / "exit-code").unlink()
    os.mkfifo(pod.control / "exit-code")
    assert control.exit_code(str(pod.control)) is None


def test_told_to_stop_before_the_job_begins_nothing_is_collected(pod: Pod) -> None:
    with running(Collector()) as collector:
        process = pod.run(told(collector, **WHEELS))
        while not (pod.control / "ready").exists():
            assert process.poll() is None
        process.terminate()
        assert process.wait(timeout=30) == 143
    assert collector.asked == []


def test_killed_while_it_collects_that_stage_stays(pod: Pod) -> None:
    (pod.workspace / "wheel").write_text("wheel")
    with running(Collector()) as collector:
        collector.fails = lambda request: 503
        process = pod.run(told(collector, **WHEELS))
        job = Job(pod)
        job.begin()
        job.end()
        while not collector.asked:
            assert process.poll() is None
        process.kill()
        process.wait()
    assert pod.said() == {"stage": "collect", "message": ""}


def test_a_gateway_that_was_never_told_is_in_the_last_words(
    pod: Pod, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clocks, "COLLECT_SECONDS", 2.5)
    with running(Collector()) as collector:
        collector.fails = lambda request: 503
        job = Job(pod)

        def run_job() -> None:
            job.begin()
            job.end()

        thread = threading.Thread(target=run_job)
        thread.start()
        assert run(told(collector, **WHEELS), pod.paths) == 1
        thread.join()
    assert pod.said()["stage"] == "collect"
    assert "artifact wheel" in pod.said()["message"]
    assert "503: words" in pod.said()["message"]
