"""What a Pod waits for before it runs; how long it may is in test_decide_endings."""

from dataclasses import replace

import pytest

from cijob_api.reasons import Reason
from cijob_operator.podviews import AgentView, PodView
from cijob_operator.starts import StartWait, start_deadline, start_failure, start_wait, timed_out
from unit.cijob_operator.builders import after, agent, ago, pod, running, starting


@pytest.mark.parametrize(
    ("waiting", "never"),
    [
        ("InvalidImageName", True),
        ("ErrImageNeverPull", True),
        ("ErrImagePull", False),
        ("ContainerCreating", False),
        ("", False),
    ],
)
def test_what_cannot_ever_start(waiting: str, *, never: bool) -> None:
    assert bool(start_failure(starting(waiting))) is never
    assert bool(start_failure(running(agent=AgentView(waiting=waiting)))) is never


def test_a_container_not_heard_of_may_still_start() -> None:
    assert start_failure(pod()) is None


def test_an_image_name_that_cannot_be_has_the_kubelet_s_words() -> None:
    failure = start_failure(starting("InvalidImageName", "couldn't parse image"))
    assert failure
    assert (failure.reason, failure.message) == (Reason.IMAGE_PULL_FAILED, "couldn't parse image")


@pytest.mark.parametrize(
    ("what", "words"),
    [
        (starting("ErrImagePull", "manifest unknown"), "manifest unknown"),
        (starting("ErrImagePull"), "ErrImagePull"),
        (running(agent=AgentView(waiting="ErrImagePull")), "container agent: ErrImagePull"),
    ],
)
def test_the_words_say_when_they_are_about_the_agent(what: PodView, words: str) -> None:
    assert start_wait(what) == StartWait(Reason.IMAGE_PULL_FAILED, words)


def test_the_job_s_own_container_is_named_first() -> None:
    both = starting(
        "CreateContainerConfigError", "no secret", agent=AgentView(waiting="ErrImagePull")
    )
    assert start_wait(both) == StartWait(Reason.CONFIG_MISSING, "no secret")


def test_a_pull_that_backs_off_says_nothing_new() -> None:
    assert start_wait(starting("ImagePullBackOff", "Back-off")).repeats


def test_an_agent_that_waits_beside_a_running_job_is_a_slow_start() -> None:
    wait = start_wait(running(agent=AgentView(waiting="ContainerCreating")))
    assert wait == StartWait(Reason.STARTING, "container agent: ContainerCreating")


def test_an_agent_before_the_job_has_its_own_time_to_say_why_it_failed() -> None:
    before = replace(agent(), before=True)
    what = starting("PodInitializing", agent=before, start_timeout_seconds=60)
    assert start_deadline(what) == after(60 - 29 + 10)
    assert start_deadline(replace(what, agent=None)) == ago(0)


def test_the_end_of_a_start_has_the_seconds_and_the_words() -> None:
    end = timed_out(starting("ContainerCreating", start_timeout_seconds=60))
    assert (end.reason, end.message) == (
        Reason.START_TIMED_OUT,
        "not started after 60 s: ContainerCreating",
    )
