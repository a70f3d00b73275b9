"""What happens to a job on its way, row by row: what is seen, and what is done about it."""

from dataclasses import dataclass, replace
from datetime import datetime

import pytest

from cijob_api.reasons import Phase, Reason
from cijob_operator.decide import decide
from cijob_operator.decisions import Decision, Observation, Obstacle, Policy
from cijob_operator.podviews import AgentView, PodView
from cijob_operator.statuses import malformed
from cijob_operator.times import format_time
from unit.cijob_operator.builders import (
    NOON,
    after,
    agent,
    ago,
    ended,
    is_running,
    job,
    look,
    pod,
    running,
    starting,
    status_of,
    template,
    wanted,
)
from unit.cijob_operator.test_decide_endings import ENDS, ONCE_MORE

# -- before there is a Pod --------------------------------------------------------------------


QUOTA = Obstacle(Reason.QUOTA_EXCEEDED, "exceeded quota: team", after(15))
ALL_TAKEN = "all 10 places of pool default are taken; 3 jobs wait"


@dataclass(frozen=True)
class Queued:
    """A job without a Pod: what it waits for, or why it will not run."""

    seen: str
    what: Observation
    reason: Reason
    phase: Phase = Phase.QUEUED
    again: datetime | None = None  # None: it is over, or suspended


GIT = {"git": {"url": "https://git.example.com/a.git"}}
DAY = 86400 - 60  # what is left of a day's queue timeout after 60 s
QUEUED = [
    Queued("all places are taken", Observation(job(), passed_over=ALL_TAKEN),
           Reason.WAITING_FOR_CAPACITY, again=after(DAY)),
    Queued("the namespace's quota is used up", Observation(job(), place="default", obstacle=QUOTA),
           Reason.QUOTA_EXCEEDED, again=after(15)),
    Queued("its template is missing", Observation(job(template="python")),
           Reason.TEMPLATE_NOT_FOUND, again=after(DAY)),
    Queued("suspended", Observation(job(suspend=True), place="default"), Reason.SUSPENDED),
    Queued("still full at the queue timeout", Observation(job(queueTimeoutSeconds=60)),
           Reason.QUEUE_TIMED_OUT, Phase.ERROR),
    Queued("still no template at the queue timeout",
           Observation(job(template="python", queueTimeoutSeconds=60)),
           Reason.QUEUE_TIMED_OUT, Phase.ERROR),
    Queued("still no room in the quota at the queue timeout",
           Observation(job(queueTimeoutSeconds=60), place="default", obstacle=QUOTA),
           Reason.QUEUE_TIMED_OUT, Phase.ERROR),
    Queued("cancelled before it ran", Observation(job(desiredState="Cancelled")),
           Reason.CANCELLED, Phase.CANCELLED),
    Queued("cancelled while suspended",
           Observation(job(desiredState="Cancelled", suspend=True)),
           Reason.CANCELLED, Phase.CANCELLED),
    Queued("a newer job of its group takes its place", Observation(job(), superseded_by="newer"),
           Reason.SUPERSEDED, Phase.CANCELLED),
    Queued("the API server refuses the Pod",
           Observation(job(), place="default",
                       obstacle=Obstacle(Reason.ADMISSION_DENIED, "violates PodSecurity", None)),
           Reason.ADMISSION_DENIED, Phase.ERROR),
    Queued("somebody else's Pod has its name",
           Observation(job(), place="default",
                       obstacle=Obstacle(Reason.NAME_CONFLICT, "a Pod tests-1 is there", None)),
           Reason.NAME_CONFLICT, Phase.ERROR),
    Queued("no image, neither here nor in the template",
           Observation(job(image=None, template="python"), template=template()),
           Reason.ADMISSION_DENIED, Phase.ERROR),
    Queued("the pool's policy forbids a field",
           Observation(job(serviceAccountName="deployer"), place="default"),
           Reason.ADMISSION_DENIED, Phase.ERROR),
    Queued("a source, and nothing to run on it",
           Observation(job(source=GIT), place="default"), Reason.COMMAND_MISSING, Phase.ERROR),
    Queued("no pool takes it", Observation(job(toolchains=["gcc"])),
           Reason.NO_FITTING_POOL, again=after(DAY)),
    Queued("still no pool at the queue timeout",
           Observation(job(template="python"),
                       template=template(pool="large", queueTimeoutSeconds=60)),
           Reason.QUEUE_TIMED_OUT, Phase.ERROR),
    Queued("its first attempt failed, and the next waits its backoff",
           Observation(job(**ONCE_MORE, status=is_running()), pods=(ended(1),)),
           Reason.BACKING_OFF, again=after(10)),
    Queued("it uses what is not built yet",
           Observation(job(cache=[{"key": "pip"}], script="make"), place="default"),
           Reason.NOT_INSTALLED, Phase.ERROR),
]  # fmt: skip


@pytest.mark.parametrize("row", QUEUED, ids=lambda row: row.seen)
def test_a_job_without_a_pod_says_what_it_waits_for(row: Queued) -> None:
    decision = decide(row.what, NOON, Policy())
    status = status_of(decision)
    assert (status.phase, status.reason) == (row.phase, row.reason)
    assert status.message
    assert decision.create is None
    assert not decision.holds_place
    if row.phase == Phase.QUEUED:
        assert decision.again == row.again
        assert status.completion_time is None
    else:
        assert status.completion_time == format_time(NOON)


def test_the_queue_timeout_names_what_was_missing() -> None:
    decision = look(job(template="python", queueTimeoutSeconds=60))
    message = status_of(decision).message or ""
    assert "TemplateNotFound" in message
    assert "'python'" in message
    assert "60 s" in message


# -- what the Pod shows on its way ------------------------------------------------------------


def test_a_new_job_asks_for_a_place() -> None:
    decision = look(job(created=0))
    assert decision == Decision(wants=wanted(decision), again=after(5))
    assert wanted(decision).pools == ("default",)


def test_an_admitted_job_gets_its_pod_and_no_status_write() -> None:
    decision = look(job(), admitted=True)
    assert decision.create is not None
    assert decision.create["metadata"]["name"] == "tests-1"
    assert decision.status is None
    assert decision.holds_place


def test_a_job_with_its_template_gets_a_pod_of_both() -> None:
    decision = look(
        job(template="python"), admitted=True, template=template(script="make", image="other")
    )
    assert decision.create is not None
    container = decision.create["spec"]["containers"][0]
    assert container["image"] == "cijob/python:dev"
    assert container["command"][:2] == ["sh", "-euc"]


def test_a_running_container_makes_the_job_running() -> None:
    decision = look(job(), running(30))
    status = status_of(decision)
    assert (status.phase, status.reason) == (Phase.RUNNING, Reason.RUNNING)
    assert status.start_time == format_time(ago(30))
    assert decision.again == after(3600 - 30)
    assert decision.holds_place


def test_running_is_written_once() -> None:
    decision = look(job(status=is_running()), running(30))
    assert decision == Decision(holds_place=True, again=after(3600 - 30))


def test_another_pod_of_the_same_attempt_is_news() -> None:
    decision = look(job(status=is_running()), running(uid="another"))
    assert status_of(decision).attempts[0].pod_uid == "another"  # type: ignore[index]


STARTS = [
    ("the image is not there yet", starting("ErrImagePull", "toomanyrequests"),
     Reason.PULLING_IMAGE, "toomanyrequests"),
    ("no node takes it", pod(unschedulable="0/3 nodes"), Reason.UNSCHEDULABLE, "0/3 nodes"),
    ("a Secret is missing", starting("CreateContainerConfigError", "no secret"),
     Reason.CONFIG_MISSING, "no secret"),
    ("the image of the agent is not there yet",
     running(agent=AgentView(waiting="ImagePullBackOff", message="unknown")),
     Reason.PULLING_IMAGE, "container agent: unknown"),
    ("the agent prepares the workspace before the job starts",
     starting("PodInitializing", agent=replace(agent(), before=True)),
     Reason.STARTING, "the agent prepares the workspace"),
    ("slow without a word", pod(), Reason.STARTING, "the Pod waits for its node"),
]  # fmt: skip


@pytest.mark.parametrize(("seen", "what", "reason", "words"), STARTS)
def test_a_slow_start_says_why(seen: str, what: PodView, reason: Reason, words: str) -> None:
    decision = look(job(), what)
    status = status_of(decision)
    assert (status.phase, status.reason, status.message) == (Phase.STARTING, reason, words)
    assert decision.again is not None
    assert after(600 - 60) <= decision.again <= after(600)
    assert decision.holds_place


def test_the_registry_has_the_last_word() -> None:
    late = starting("ImagePullBackOff", "manifest unknown", created=ago(600))
    assert "manifest unknown" in (status_of(look(job(), late)).message or "")


# -- nothing is missing -----------------------------------------------------------------------

NOT_DECIDED = Reason(str(malformed("no job can be made of it", NOON)["reason"]))


def test_every_reason_occurs() -> None:
    tested = {end.reason for end in ENDS} | {row.reason for row in QUEUED}
    tested |= {reason for _, _, reason, _ in STARTS}
    tested.add(Reason(status_of(look(job(), running(30))).reason or ""))
    assert set(Reason) - tested == {NOT_DECIDED}
