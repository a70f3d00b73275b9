"""Build jobs and the CIJobs behind them: what is asked, and what is shown."""

from typing import Any

import pytest
import yaml

from cijob_api.objects import CIJob
from cijob_gateway import buildjobs
from cijob_gateway.buildjobs import Asked, BuildFilter, State, Wanted
from cijob_gateway.errors import Invalid
from kit.cluster import ROOT

REPOSITORY = "https://github.com/torvalds/linux"
CREATED, STARTED, ENDED = (f"2026-01-16T06:13:{second:02}Z" for second in (7, 9, 51))
Json = dict[str, Any]


def asked(**fields: Any) -> Asked:
    body = {"source_repository": REPOSITORY, "branch": "master", "target_architecture": "x86_64"}
    return Asked.model_validate({**body, **fields})


def job(phase: str = "Queued", *, git: Json | None = None, **more: Any) -> Json:
    spec = {
        "templateRef": {"name": "build"},
        "source": {"git": {"url": REPOSITORY, "ref": "master", **(git or {})}},
        "architecture": "x86_64",
    }
    metadata = {"name": "build-1", "namespace": "ci", "uid": "u", "creationTimestamp": CREATED}
    return {"metadata": metadata, "spec": spec, "status": {"phase": phase, **more}}


def shown(body: Json) -> Json:
    return buildjobs.view(CIJob.parse(body)).model_dump(mode="json")


def test_what_the_predecessors_clients_send_is_a_cijob_of_template_build() -> None:
    spec = buildjobs.submission(asked(commit_hash="HEAD", server_id="auto", build_config={})).spec
    assert spec == {
        "templateRef": {"name": "build"},
        "source": {"git": {"url": REPOSITORY, "ref": "master"}},
        "architecture": "x86_64",
    }


def test_the_example_is_what_the_api_makes() -> None:
    manifest = yaml.safe_load((ROOT / "examples" / "build.yaml").read_text())
    assert manifest["spec"] == buildjobs.submission(asked()).spec


def test_all_that_can_be_asked_stands_in_the_spec() -> None:
    wants = {"server_id": "big", "toolchain": "gcc-13", "priority": 5, "commit_hash": "ABCDEF12"}
    spec = buildjobs.submission(asked(**wants)).spec
    assert spec["source"]["git"]["commit"] == "abcdef12"
    assert (spec["pool"], spec["toolchains"], spec["priority"]) == ("big", ["gcc-13"], 5)


@pytest.mark.parametrize("commit", [None, "", "HEAD"])
def test_the_tip_of_the_branch_is_no_commit(commit: str | None) -> None:
    assert "commit" not in buildjobs.submission(asked(commit_hash=commit)).spec["source"]["git"]


@pytest.mark.parametrize("name", ["x86_64", "aarch64", "amd64", "arm64", "riscv64"])
def test_processors_go_by_either_name(name: str) -> None:
    assert buildjobs.submission(asked(target_architecture=name)).spec["architecture"] == name


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"target_architecture": "z80"}, "'z80' is no processor; there are: x86_64, aarch64, 386"),
        ({"source_repository": "/srv/git"}, "source_repository must be an https:// or ssh:// URL"),
        ({"commit_hash": "main"}, "'main' is no commit"),
        ({"build_config": {"jobs": 4}}, "build_config says jobs; how to build stands in"),
    ],
)
def test_what_cannot_be_built_is_refused(wrong: Json, words: str) -> None:
    with pytest.raises(Invalid) as refused:
        buildjobs.submission(asked(**wrong))
    assert words in refused.value.detail


@pytest.mark.parametrize(
    ("phase", "state"),
    [
        ("Queued", "queued"),
        ("Starting", "building"),
        ("Running", "building"),
        ("Succeeded", "completed"),
        ("Failed", "failed"),
        ("Error", "failed"),
        ("Cancelled", "cancelled"),
    ],
)
def test_every_phase_is_a_state(phase: str, state: str) -> None:
    assert shown(job(phase))["status"] == state


def test_a_queued_one_has_no_server_no_times_and_no_error() -> None:
    words = "all 2 places of pool default are taken"
    assert shown(job(reason="WaitingForCapacity", message=words)) == {
        "id": "u",
        "source_repository": REPOSITORY,
        "branch": "master",
        "commit_hash": "HEAD",
        "target_architecture": "x86_64",
        "server_id": None,
        "status": "queued",
        "started_at": None,
        "completed_at": None,
        "duration_seconds": None,
        "error_message": None,
        "created_at": CREATED,
    }


def test_one_that_ended_has_all_of_it() -> None:
    times = {"startTime": STARTED, "completionTime": ENDED}
    done = shown(job("Error", git={"commit": "abc1"}, pool="big", message="lost", **times))
    assert (done["server_id"], done["commit_hash"]) == ("big", "abc1")
    assert (done["started_at"], done["completed_at"], done["duration_seconds"]) == (
        STARTED,
        ENDED,
        42,
    )
    assert (done["status"], done["error_message"]) == ("failed", "lost")


def test_a_cancelled_one_has_no_error() -> None:
    done = shown(job("Cancelled", message="it was cancelled before it ran", completionTime=ENDED))
    assert (done["completed_at"], done["error_message"], done["duration_seconds"]) == (
        ENDED,
        None,
        None,
    )


def test_whoever_made_it_a_job_of_the_template_with_a_repository_is_a_build_job() -> None:
    assert buildjobs.is_build_job(job())
    assert not buildjobs.is_build_job({"spec": {"image": "x"}})
    archive = {"archive": {"sha256": "0" * 64, "sizeBytes": 1}}
    uploaded = {"templateRef": {"name": "build"}, "source": archive}
    assert not buildjobs.is_build_job({"spec": uploaded})


@pytest.mark.parametrize(
    ("wanted", "fits"),
    [
        ({}, True),
        ({"target_architecture": "amd64"}, True),
        ({"target_architecture": "aarch64"}, False),
        ({"server_id": "big"}, True),
        ({"server_id": "small"}, False),
    ],
)
def test_a_filter(wanted: Json, *, fits: bool) -> None:
    made = BuildFilter.of(Wanted.model_validate(wanted))
    assert made.suits(job("Running", pool="big")) is fits


def test_only_states_that_jobs_end_in_are_looked_for_among_those_that_are_gone() -> None:
    gone = {state: BuildFilter.of(Wanted(status=state)).every for state in State}
    assert gone == {
        State.QUEUED: False,
        State.BUILDING: False,
        State.COMPLETED: True,
        State.FAILED: True,
        State.CANCELLED: True,
    }
    assert BuildFilter.of(Wanted()).every
