"""Where the time went, as its user reads it: the last line of `ci`, on a real cluster.

Times are only compared with what they must be at least: a busy node takes longer.
"""

import json
import re
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from kit.cluster import Cluster
from kit.githost import SERVED
from kit.gitproject import Project
from kit.installed import Installed
from kit.operator import job as manifest
from kit.registryhost import serving

PULL_SECONDS = 3
HELD_SECONDS = 3


@pytest.fixture(scope="module")
def image(cluster: Cluster, installed: Installed) -> Iterator[str]:
    """An image that no node has."""
    with serving(cluster, PULL_SECONDS) as address:
        yield f"{address}/cijob/slow:{secrets.token_hex(4)}"


def parts(line: str) -> dict[str, int]:
    """The stages of the last line, in seconds."""
    found = re.search(r" \(((?:[a-z ]+ [\dhms]+(?:, )?)+)\)", line)
    assert found, line
    words = (part.rpartition(" ") for part in found[1].split(", "))
    return {stage: in_seconds(length) for stage, _, length in words}


def in_seconds(length: str) -> int:
    units = {"h": 3600, "m": 60, "s": 1}
    return sum(int(n) * units[unit] for n, unit in re.findall(r"(\d+)([hms])", length))


def ended(installed: Installed, *words: str) -> dict[str, int]:
    """Run something to its good end; where its time went."""
    done = installed.ci("run", "-n", installed.namespace, *words)
    assert done.returncode == 0, done.stderr
    return parts(done.stderr.splitlines()[-1])


def spent(installed: Installed, name: str) -> dict[str, int]:
    """What the status of the last attempt says."""
    found: dict[str, int] = installed.job(name)["status"]["attempts"][-1]["spent"]
    return found


def test_a_pull_is_told_apart_and_what_is_there_is_not_pulled(
    installed: Installed, image: str
) -> None:
    words = ("--no-source", "--image", image)
    first = ended(installed, *words, "--name", "pulls", "--", "sleep", "2")
    assert first["pulling"] >= PULL_SECONDS
    assert first["running"] >= 2
    assert "fetching" not in first
    again = ended(installed, *words, "--name", "has-it", "--", "sleep", "2")
    assert again["running"] >= 2
    assert "pulling" not in again
    assert set(spent(installed, "has-it")) == {"startingSeconds", "runningSeconds"}
    waited = installed.ci("wait", "pulls", "-n", installed.namespace)
    assert f"pulling {first['pulling']}s" in waited.stderr.splitlines()[-1]
    told = installed.ci("get", "pulls", "-n", installed.namespace).stdout
    assert f"pulling {first['pulling']}s" in told


def test_what_is_fetched_while_an_image_is_pulled_is_not_counted_twice(
    installed: Installed, image: str, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("here")
    done = installed.ci(
        "run", str(tmp_path), "--name=both", "--image", f"{image}-too", "--", "cat", "file"
    )
    assert (done.returncode, done.stdout) == (0, "here"), done.stderr
    found = parts(done.stderr.splitlines()[-1])
    assert found["pulling"] >= PULL_SECONDS
    assert "fetching" not in found


def held(installed: Installed, hosted: Project, name: str, **spec: Any) -> None:
    """Start a job whose source comes only after it has been waited for."""
    hosted.host.run(f"touch {SERVED}/hold")
    try:
        source = {"git": {"url": hosted.url, "secretName": "git-token"}}
        installed.cluster.apply(installed.namespace, manifest(name, source=source, **spec))
        installed.cluster.until("a wait", lambda: waits_since(installed, name) >= HELD_SECONDS)
    finally:
        hosted.host.run(f"rm {SERVED}/hold")


def waits_since(installed: Installed, name: str) -> float:
    """For how many seconds the agent before the job has run, or the job beside its agent."""
    words = ("get", "pod", "-n", installed.namespace, f"{name}-1", "-ojson", "--ignore-not-found")
    found = installed.cluster.kubectl(*words).stdout
    status = json.loads(found)["status"] if found else {}
    states = [*status.get("initContainerStatuses", []), *status.get("containerStatuses", [])]
    waits = "agent" if "initContainerStatuses" in status else "job"
    for one in states:
        if one["name"] == waits and (runs := one["state"].get("running")):
            since = datetime.fromisoformat(runs["startedAt"])
            return (datetime.now(UTC) - since).total_seconds()
    return 0


DIST = {"artifacts": [{"name": "number", "path": "number"}]}


@pytest.mark.parametrize(
    ("name", "spec"),
    [("beside", {}), ("before", {"prepare": "Init"}), ("collects", DIST)],
)
def test_a_source_that_is_waited_for_is_fetching_and_not_running(
    installed: Installed, hosted: Project, name: str, spec: dict[str, Any]
) -> None:
    held(installed, hosted, name, script="cat number; sleep 3", **spec)
    done = installed.ci("wait", name, "-n", installed.namespace)
    assert done.returncode == 0, done.stderr
    found = parts(done.stderr.splitlines()[-1])
    # Starts and ends are known in whole seconds.
    assert found["fetching"] >= HELD_SECONDS - 1
    assert found["running"] >= 2
    assert found["fetching"] == spent(installed, name)["fetchingSeconds"]
    assert "pulling" not in found


def test_a_source_that_never_comes_is_fetching_all_the_time(
    installed: Installed, hosted: Project
) -> None:
    url = hosted.url.replace("project.git", "none.git")
    source = {"git": {"url": url, "secretName": "git-token"}}
    installed.cluster.apply(installed.namespace, manifest("lost", source=source, script="true"))
    done = installed.ci("wait", "lost", "-n", installed.namespace)
    assert done.returncode == 3, done.stderr
    assert "running" not in parts(done.stderr.splitlines()[-1])
    assert spent(installed, "lost")["runningSeconds"] == 0


def test_an_image_that_cannot_be_had_is_pulling_all_the_time(
    installed: Installed, image: str
) -> None:
    gone = f"{image.rpartition('/')[0]}/none@sha256:{'0' * 64}"
    never = manifest("never", image=gone, script="true", startTimeoutSeconds=20)
    installed.cluster.apply(installed.namespace, never)
    done = installed.ci("wait", "never", "-n", installed.namespace)
    assert done.returncode == 3, done.stderr
    found = parts(done.stderr.splitlines()[-1])
    # A node that is busy says only after some seconds that it pulls.
    assert found["pulling"] >= 5
    assert "running" not in found


def test_a_retry_has_what_went_before_in_one_figure(installed: Installed) -> None:
    again = {"limit": 1, "backoffSeconds": 1}
    twice = manifest("twice", script="sleep 2; exit 1", retry=again)
    installed.cluster.apply(installed.namespace, twice)
    done = installed.ci("wait", "twice", "-n", installed.namespace)
    assert done.returncode == 1, done.stderr
    found = parts(done.stderr.splitlines()[-1])
    assert next(iter(found)) == "earlier attempts"
    assert found["earlier attempts"] >= 2
    assert found["running"] >= 2
    first, last = installed.job("twice")["status"]["attempts"]
    assert first["spent"]["runningSeconds"] >= 2
    assert last["spent"]["runningSeconds"] == found["running"]


def test_a_job_that_never_ran_was_queued(installed: Installed) -> None:
    installed.cluster.apply(installed.namespace, manifest("held", script="true", suspend=True))
    made = datetime.fromisoformat(installed.job("held")["metadata"]["creationTimestamp"])
    installed.cluster.until("a wait", lambda: (datetime.now(UTC) - made).total_seconds() > 2)
    assert installed.ci("cancel", "held", "-n", installed.namespace).returncode == 0
    done = installed.ci("wait", "held", "-n", installed.namespace)
    assert done.returncode == 6, done.stderr
    assert set(parts(done.stderr.splitlines()[-1])) == {"queued"}
