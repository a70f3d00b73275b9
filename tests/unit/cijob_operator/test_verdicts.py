"""How an attempt ended; the table of all endings is in test_decide_endings."""

from datetime import datetime

import pytest

from cijob_api.reasons import Reason
from cijob_operator.podviews import PodView
from cijob_operator.verdicts import Ending, ending, stop_since
from unit.cijob_operator.builders import NOON, ago, ended, pod, refused, running, starting, stopped

OWN_LIMIT = "Container job exceeded its local ephemeral storage limit"
VOLUME = 'Usage of EmptyDir volume "workspace" exceeds the limit "1Gi".'
POD_LIMIT = "Pod ephemeral local storage usage exceeds the total limit of containers 4Gi."
NODE = "The node was low on resource: ephemeral-storage. Threshold quantity: 1Gi"


@pytest.mark.parametrize("what", [pod(), starting(), running(), running(deleting=NOON)])
def test_nothing_has_ended_yet(what: PodView) -> None:
    assert ending(what, NOON) is None


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (f'{OWN_LIMIT} "4Gi". ', Reason.DISK_LIMIT),
        (POD_LIMIT, Reason.DISK_LIMIT),
        (VOLUME, Reason.DISK_LIMIT),
        (NODE, Reason.NODE_PRESSURE),
        ("", Reason.NODE_PRESSURE),
    ],
)
def test_an_eviction_is_the_job_s_fault_only_by_its_own_limit(message: str, reason: Reason) -> None:
    end = ending(refused("Evicted", message), NOON)
    assert end
    assert end.reason == reason
    assert end.message


@pytest.mark.parametrize("code", [126, 127])
def test_a_wrapped_command_that_is_not_there_cannot_start(code: int) -> None:
    wrapped = ending(ended(code, wrapped_command=True), NOON)
    assert wrapped
    assert (wrapped.reason, wrapped.exit_code) == (Reason.CANNOT_START, code)


@pytest.mark.parametrize("code", [126, 127])
def test_a_script_may_end_with_any_code(code: int) -> None:
    assert ending(ended(code), NOON) == Ending(
        Reason.COMMAND_FAILED, f"exit code {code}", code, NOON
    )


def test_what_a_command_leaves_as_its_termination_message_comes_along() -> None:
    end = ending(ended(66, "", "NoBuildRecipe: add one\n"), NOON)
    assert end == Ending(Reason.COMMAND_FAILED, "exit code 66: NoBuildRecipe: add one", 66, NOON)


def test_the_runtime_s_words_come_along() -> None:
    end = ending(ended(128, "StartError", "exec: no such file\n"), NOON)
    assert end == Ending(Reason.CANNOT_START, "exec: no such file", 128, NOON)


def test_the_kubelet_s_words_come_along() -> None:
    end = ending(refused("OutOfcpu", "not enough cpu"), NOON)
    assert end == Ending(Reason.KUBELET_REJECTED, "OutOfcpu: not enough cpu")


def test_a_refusal_without_words_has_some() -> None:
    assert ending(refused(""), NOON) == Ending(
        Reason.KUBELET_REJECTED, "the kubelet refused the Pod"
    )


def test_an_unknown_end_has_no_exit_code() -> None:
    end = ending(ended(137, "ContainerStatusUnknown"), NOON)
    assert end
    assert end.exit_code is None


@pytest.mark.parametrize(
    ("mark", "reason", "since"),
    [
        (stopped("TimedOut", 7), Reason.TIMED_OUT, ago(7)),
        (stopped("Superseded", 0), Reason.SUPERSEDED, NOON),
        ("Cancelled", Reason.CANCELLED, None),
        (stopped("Bored", 7), Reason.CANCELLED, ago(7)),
        (stopped("Completed", 7), Reason.CANCELLED, ago(7)),
    ],
)
def test_the_mark_of_a_stop(mark: str, reason: Reason, since: datetime | None) -> None:
    assert stop_since(running(stop=mark)) == (reason, since)


def test_a_mark_with_a_forged_time_is_a_stop_since_nobody_knows_when() -> None:
    assert stop_since(running(stop="Cancelled yesterday")) == (Reason.CANCELLED, None)


def test_a_start_that_the_runtime_gave_up_is_the_platform_s() -> None:
    words = "failed to create containerd task: failed to create shim task: context canceled"
    end = ending(ended(128, "StartError", words), NOON)
    assert end
    assert (end.reason, end.exit_code) == (Reason.KUBELET_REJECTED, None)
