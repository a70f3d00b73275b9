"""A collection from the workspace to the gateway: what comes, what is said to be missing, and when.

The gateway is a real HTTP server on the loopback; what it is told is held against the real one's
schema.
"""

import hashlib
import io
import json
import os
import tarfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cijob_agent import clocks, collecting, delivery
from cijob_agent.clocks import Clock, OutOfTime
from cijob_agent.collecting import Outcome, Ran, collect
from cijob_agent.delivery import Delivery
from cijob_agent.settings import Artifact, Collect
from cijob_gateway.artifacts import MOST_REPORTS, Collected
from cijob_gateway.bodies import BODY_BYTES
from unit.cijob_agent.collectors import HANG_UP, TOKEN, Collector
from unit.cijob_agent.gateways import running

pytestmark = pytest.mark.process
WORKED = 0
WAITED = 7


class Ground:
    """A workspace, a token, a gateway and the agent that goes between them."""

    def __init__(self, folder: Path, collector: Collector) -> None:
        self.workspace = folder / "workspace"
        self.workspace.mkdir()
        self.token = folder / "token"
        self.token.write_text(TOKEN)
        self.gateway = collector
        self.clock = Clock()

    def put(self, **files: str) -> None:
        for name, text in files.items():
            path = self.workspace / name.replace("__", "/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def collect(
        self, *artifacts: Artifact, junit: tuple[str, ...] = (), code: int | None = 0
    ) -> Outcome:
        plan = Collect(self.gateway.url, artifacts, junit)
        self.clock.start()
        way = Delivery(plan.url, str(self.token), self.clock)
        return collect(plan, str(self.workspace), way, self.clock, ran=Ran(code, WAITED))

    @property
    def said(self) -> dict[str, Any]:
        (said,) = self.gateway.said
        return said


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    with running(Collector()) as collector:
        yield Ground(tmp_path, collector)


def always(name: str, path: str) -> Artifact:
    return Artifact(name, path, "Always")


def hurried(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """So little time for all of it, and a tenth of it for the last words."""
    monkeypatch.setattr(clocks, "COLLECT_SECONDS", seconds)
    monkeypatch.setattr(clocks, "LAST_WORDS_SECONDS", seconds / 10)


def test_reports_and_artifacts_arrive_as_they_are(ground: Ground) -> None:
    ground.put(
        junit="<a/>", dist__one="1", dist__two="2", deep__x__junit="<b/>", wheel="w" * 200_000
    )
    artifacts = (always("wheel", "wheel"), always("dist", "dist/"), always("glob", "d*/o*"))
    outcome = ground.collect(*artifacts, junit=("junit", "**/junit"))
    assert outcome == ("Complete", "3 artifacts and 2 reports", True)
    assert ground.gateway.asked == [
        "GET collection",
        "PUT reports/0",
        "PUT reports/1",
        "PUT artifacts/wheel",
        "PUT artifacts/dist",
        "PUT artifacts/glob",
        "POST collection",
    ]
    bodies = ground.gateway.bodies
    assert (bodies["reports/0"], bodies["reports/1"]) == (b"<b/>", b"<a/>")
    assert bodies["artifacts/wheel"] == b"w" * 200_000
    files = ["wheel", "dist.tar.gz", "glob.tar.gz"]
    assert ground.said["artifacts"] == [
        {
            "name": one.name,
            "file": file,
            "sizeBytes": len(bodies[f"artifacts/{one.name}"]),
            "sha256": hashlib.sha256(bodies[f"artifacts/{one.name}"]).hexdigest(),
        }
        for one, file in zip(artifacts, files, strict=True)
    ]
    assert [report["path"] for report in ground.said["reports"]] == ["deep/x/junit", "junit"]
    assert (ground.said["state"], ground.said["message"]) == ("Complete", "")
    assert ground.said["fetchSeconds"] == WAITED
    with tarfile.open(fileobj=io.BytesIO(bodies["artifacts/glob"])) as archive:
        assert archive.getnames() == ["dist/one"]


@pytest.mark.parametrize(
    ("code", "kept"),
    [(0, ["always", "success"]), (1, ["always", "failure"]), (None, ["always", "failure"])],
)
def test_when_decides_what_is_kept(ground: Ground, code: int | None, kept: list[str]) -> None:
    ground.put(file="x")
    wanted = (always("always", "file"), Artifact("success", "file", "OnSuccess"))
    outcome = ground.collect(*wanted, Artifact("failure", "file", "OnFailure"), code=code)
    assert [one["name"] for one in ground.said["artifacts"]] == kept
    assert outcome.state == "Complete"


MISSING: list[tuple[Artifact, str]] = [
    (always("a", "none"), "artifact a: there is no 'none'"),
    (always("a", "none/*"), "artifact a: nothing matches 'none/*'"),
    (always("a", "link"), "artifact a: 'link' is a link, and links are not followed"),
    (always("a", "fifo"), "artifact a: 'fifo' is no file, folder or link"),
    (always("a", "huge"), "artifact a: 1024.0 GiB, and 1.0 MiB are left of the limits"),
    (always("a", "two"), "artifact a: 2.0 MiB, and 1.0 MiB are left of the limits"),
]


@pytest.mark.parametrize(("artifact", "words"), MISSING, ids=lambda value: str(value)[:40])
def test_what_cannot_be_kept_is_said_and_keeps_nothing_else_away(
    ground: Ground, artifact: Artifact, words: str
) -> None:
    ground.put(file="x", two__a="a" * (1 << 20), two__b="b" * (1 << 20))
    (ground.workspace / "link").symlink_to(ground.token)
    os.mkfifo(ground.workspace / "fifo")
    with (ground.workspace / "huge").open("wb") as file:
        file.truncate(1 << 40)
    outcome = ground.collect(artifact, always("file", "file"))
    assert (outcome.state, ground.said["message"]) == ("Partial", words)
    assert [one["name"] for one in ground.said["artifacts"]] == ["file"]
    assert TOKEN.encode() not in b"".join(ground.gateway.bodies.values())


def test_all_artifacts_together_have_a_limit(ground: Ground) -> None:
    ground.put(file="x" * (1 << 20))
    ground.gateway.limits["totalBytes"] = (1 << 20) + 1
    outcome = ground.collect(always("a", "file"), always("b", "file"))
    assert outcome.state == "Partial"
    assert ground.said["message"] == "artifact b: 1.0 MiB, and 1 bytes are left of the limits"


def test_reports_have_limits_in_number_and_size(ground: Ground) -> None:
    ground.put(large="x" * (1 << 17), **{f"r{number}_xml": "<a/>" for number in range(8)})
    outcome = ground.collect(junit=("r*_xml", "large", "none*"))
    assert len(ground.said["reports"]) == 4
    assert outcome.state == "Partial"
    assert ground.said["message"] == (
        "reports none*: there is no such file; "
        "report 'large': 128.0 KiB, the limit is 64.0 KiB; "
        "9 reports, of which 5 are taken"
    )


def test_nothing_at_all_is_a_failed_collection_that_is_told(ground: Ground) -> None:
    outcome = ground.collect(always("a", "none"), code=1)
    assert (outcome.state, outcome.told) == ("Failed", True)
    assert ground.said["state"] == "Failed"


def test_a_gateway_that_is_away_for_a_while_costs_only_time(ground: Ground) -> None:
    ground.put(file="x" * 300_000)
    failures = iter([503, None, HANG_UP, 403, 500, None, HANG_UP])
    ground.gateway.fails = lambda request: next(failures, None)
    assert ground.collect(always("a", "file")).state == "Complete"
    assert ground.gateway.bodies["artifacts/a"] == b"x" * 300_000
    assert ground.gateway.asked.count("PUT artifacts/a") == 4


def test_a_body_that_was_stored_wrongly_is_sent_again(ground: Ground) -> None:
    ground.put(file="right")
    stored = iter([b"wrong"])
    ground.gateway.changes = lambda body: next(stored, body)
    assert ground.collect(always("a", "file")).state == "Complete"
    assert ground.gateway.bodies["artifacts/a"] == b"right"


def test_what_the_gateway_refuses_is_not_sent_again(ground: Ground) -> None:
    ground.put(file="x" * 1_000_000, other="y")
    ground.gateway.fails = lambda request: 413 if request == "PUT artifacts/a" else None
    outcome = ground.collect(always("a", "file"), always("b", "other"))
    assert outcome.state == "Partial"
    assert ground.gateway.asked.count("PUT artifacts/a") == 1
    assert "413: words" in ground.said["message"]


DOWN: list[Callable[[str], int | None]] = [
    lambda request: HANG_UP,
    lambda request: 503,
    lambda request: None if request.startswith("GET") else HANG_UP,
]


@pytest.mark.parametrize("fails", DOWN, ids=["hangs up", "says so", "from then on"])
def test_a_gateway_that_stays_away_is_given_up_in_time_and_everything_is_named(
    ground: Ground, monkeypatch: pytest.MonkeyPatch, fails: Callable[[str], int | None]
) -> None:
    hurried(monkeypatch, 1)
    ground.put(file="x")
    ground.gateway.fails = fails
    outcome = ground.collect(always("a", "file"), always("b", "file"), junit=("*",))
    assert (outcome.state, outcome.told) == ("Failed", False)
    for missing in ("artifact a", "artifact b", "report", "the gateway at"):
        assert missing in outcome.words
    assert ground.clock.left < 1


def test_out_of_time_the_body_breaks_off_and_the_gateway_hears_what_is_missing(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    ground.put(small="x", large="y" * 900_000, later="z")
    left = iter(range(3))  # one before the large one, and two of its seven chunks

    def tick() -> None:
        if "artifacts/small" in ground.gateway.bodies and next(left, None) is None:
            raise OutOfTime("there was no time left")

    monkeypatch.setattr(ground.clock, "tick", tick)
    outcome = ground.collect(*[always(name, name) for name in ("small", "large", "later")])
    assert (outcome.state, outcome.told) == ("Partial", True)
    assert ground.said["message"] == (
        "artifact large: there was no time left; artifact later: there was no time left"
    )
    assert list(ground.gateway.bodies) == ["artifacts/small"]


def test_many_problems_are_counted_not_listed(ground: Ground) -> None:
    ground.collect(*[always(f"a{number}", "none") for number in range(25)])
    assert ground.said["message"].count("there is no 'none'") == 20
    assert ground.said["message"].endswith("; and 5 more")


def test_one_artifact_with_many_problems_hides_no_other(ground: Ground) -> None:
    for number in range(30):
        ground.put(**{f"links__{number}x": ""})
        (ground.workspace / "links" / str(number)).symlink_to("/outside")
    ground.collect(always("a", "links"), always("b", "links"), always("c", "none"))
    words = ground.said["message"].split("; ")
    assert [one.partition(":")[0] for one in words] == [
        *["artifact a"] * 5, *["artifact b"] * 5, "artifact c", "and 50 more"
    ]  # fmt: skip


def test_what_nobody_foresaw_of_one_artifact_costs_no_other(ground: Ground) -> None:
    ground.put(file="x")
    outcome = ground.collect(always("a", "nu\0ll"), always("b", "file"), junit=("nu\0ll",))
    assert outcome.state == "Partial"
    assert "artifact a: ValueError: " in ground.said["message"]
    assert [one["name"] for one in ground.said["artifacts"]] == ["b"]


def test_a_gateway_that_answers_something_else_is_told_everything_is_missing(
    ground: Ground,
) -> None:
    ground.put(file="x")
    ground.gateway.limits.pop("reports")
    assert ground.collect(always("a", "file")).told
    assert ground.said["message"] == "artifact a; KeyError: 'reports'"


def test_reports_are_looked_for_until_there_are_many(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(collecting, "MOST_FOUND_BYTES", 200)
    ground.put(a1="<a/>", a2="<a/>", a3="<a/>", b="<a/>", c="<a/>")
    ground.collect(junit=("c", "a*", "b"))
    assert [one["path"] for one in ground.said["reports"]] == ["a1", "a2", "a3", "c"]
    assert ground.said["message"] == "reports b: not looked for, behind 4 others"


def test_a_token_that_is_not_there_for_a_moment_costs_only_time(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    ground.put(file="x")
    ground.token.unlink()
    monkeypatch.setattr(time, "sleep", lambda _: ground.token.write_text(TOKEN))
    assert ground.collect(always("a", "file")).state == "Complete"


def test_names_that_are_no_text_are_told_as_well_as_it_goes(ground: Ground) -> None:
    name = os.fsdecode(b"r\xff.xml")
    (ground.workspace / name).write_text("<a/>")
    assert ground.collect(junit=("*.xml",)).state == "Complete"
    assert ground.said["reports"][0]["path"] == "r\N{REPLACEMENT CHARACTER}.xml"


def test_paths_of_any_length_and_letters_are_told_so_that_the_gateway_takes_them(
    ground: Ground,
) -> None:
    ground.gateway.limits["reports"] = MOST_REPORTS
    folder, name = "/".join(["\N{PILE OF POO}" * 60] * 10), "\N{PILE OF POO}" * 58
    (ground.workspace / folder).mkdir(parents=True)
    for number in range(MOST_REPORTS):
        (ground.workspace / folder / f"{name}{number}").write_text("<a/>")
    outcome = ground.collect(always("file", f"{folder}/{name}0"), junit=("**/*",))
    assert outcome == ("Complete", f"1 artifacts and {MOST_REPORTS} reports", True)
    said = Collected.model_validate(ground.said)
    assert said.reports[-1].path == f"{(folder + '/')[:249]}…{(folder + '/' + name + '99')[-250:]}"
    assert said.artifacts[0].file == f"{name}0"
    assert len(json.dumps(ground.said)) < BODY_BYTES


def test_the_time_runs_from_the_end_and_a_stop_shortens_it(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    clock = Clock()
    clock.start()
    assert clock.left == clocks.COLLECT_SECONDS
    now += 5
    clock.stop_soon()
    assert clock.left == clocks.STOPPED_SECONDS
    now += clocks.STOPPED_SECONDS - clocks.LAST_WORDS_SECONDS
    with pytest.raises(OutOfTime):
        clock.tick()
    assert clock.left == clocks.LAST_WORDS_SECONDS


def test_a_stop_before_the_end_leaves_the_time_after_it(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    clock = Clock()
    clock.stop_soon()
    now += 30
    clock.start()
    assert clock.left == clocks.STOPPED_SECONDS


def test_no_answer_is_waited_for_longer_than_there_is_time() -> None:
    assert delivery.ANSWER_SECONDS < clocks.COLLECT_SECONDS
