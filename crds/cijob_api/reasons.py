"""Every reason a job can have, what it means and what to do about it.

The one list behind status, conditions, `docs/reasons.md` and the words of the CLI. Used by every
part; changes nothing.
"""

from dataclasses import dataclass
from enum import StrEnum


class Phase(StrEnum):
    """A summary for people; the conditions are the contract."""

    QUEUED = "Queued"
    STARTING = "Starting"
    RUNNING = "Running"
    SUCCEEDED = "Succeeded"
    FAILED = "Failed"
    ERROR = "Error"
    CANCELLED = "Cancelled"

    @property
    def is_final(self) -> bool:
        """Whether a job in this phase has finished; it never reopens."""
        return self in FINAL


FINAL = frozenset({Phase.SUCCEEDED, Phase.FAILED, Phase.ERROR, Phase.CANCELLED})


class Budget(StrEnum):
    """Which of a job's two retry budgets an ending is taken from."""

    NONE = "None"
    OWN = "Own"
    INFRASTRUCTURE = "Infrastructure"


class Reason(StrEnum):
    """Why a job is where it is: one CamelCase word."""

    COMPLETED = "Completed"
    COMMAND_FAILED = "CommandFailed"
    OOM_KILLED = "OOMKilled"
    TIMED_OUT = "TimedOut"
    DISK_LIMIT = "DiskLimit"
    CANNOT_START = "CannotStart"
    CANCELLED = "Cancelled"
    SUPERSEDED = "Superseded"
    NODE_PRESSURE = "NodePressure"
    NODE_LOST = "NodeLost"
    PREEMPTED = "Preempted"
    DRAINED = "Drained"
    KUBELET_REJECTED = "KubeletRejected"
    POD_LOST = "PodLost"
    AGENT_FAILED = "AgentFailed"
    START_TIMED_OUT = "StartTimedOut"
    SOURCE_UNREACHABLE = "SourceUnreachable"
    SOURCE_NOT_FOUND = "SourceNotFound"
    SOURCE_REJECTED = "SourceRejected"
    SOURCE_TOO_LARGE = "SourceTooLarge"
    GIT_AUTH_FAILED = "GitAuthFailed"
    GIT_REF_NOT_FOUND = "GitRefNotFound"
    GIT_HOST_KEY = "GitHostKey"
    IMAGE_PULL_FAILED = "ImagePullFailed"
    UNSCHEDULABLE = "Unschedulable"
    CONFIG_MISSING = "ConfigMissing"
    QUEUE_TIMED_OUT = "QueueTimedOut"
    ADMISSION_DENIED = "AdmissionDenied"
    COMMAND_MISSING = "CommandMissing"
    NAME_CONFLICT = "NameConflict"
    MALFORMED = "Malformed"
    NOT_INSTALLED = "NotInstalled"
    WAITING_FOR_CAPACITY = "WaitingForCapacity"
    QUOTA_EXCEEDED = "QuotaExceeded"
    TEMPLATE_NOT_FOUND = "TemplateNotFound"
    NO_FITTING_POOL = "NoFittingPool"
    SUSPENDED = "Suspended"
    BACKING_OFF = "BackingOff"
    PULLING_IMAGE = "PullingImage"
    STARTING = "Starting"
    RUNNING = "Running"


@dataclass(frozen=True)
class Meaning:
    """What a reason says: the phase it belongs to, which budget repeats it, words for people."""

    phase: Phase
    means: str
    do: str
    budget: Budget = Budget.NONE


def _infrastructure(means: str, do: str) -> Meaning:
    return Meaning(Phase.ERROR, means, do, Budget.INFRASTRUCTURE)


def _own(means: str, do: str) -> Meaning:
    return Meaning(Phase.FAILED, means, do, Budget.OWN)


_AGAIN = "It was tried again `retry.infrastructureLimit` times. "
_WAIT = "Nothing, if it may wait; the queue timeout bounds the wait."

MEANINGS: dict[Reason, Meaning] = {
    Reason.COMPLETED: Meaning(Phase.SUCCEEDED, "The command ended with exit code 0.", "Nothing."),
    Reason.COMMAND_FAILED: _own(
        "The command ended with an exit code other than 0.", "Read the log's end."
    ),
    Reason.OOM_KILLED: _own(
        "The kernel killed a process of the job at its memory limit; "
        "the exit code may be anything, 0 included.",
        "Raise `resources.limits.memory`, or run less in parallel.",
    ),
    Reason.TIMED_OUT: Meaning(
        Phase.FAILED,
        "The job ran longer than `timeoutSeconds`, fetching its source included.",
        "Read where the log stops; raise `timeoutSeconds` if it needs more.",
    ),
    Reason.DISK_LIMIT: Meaning(
        Phase.FAILED,
        "The job wrote more to disk than its ephemeral storage limit.",
        "Raise `resources.limits.ephemeral-storage`, or write less.",
    ),
    Reason.CANNOT_START: Meaning(
        Phase.FAILED,
        "The command cannot be run: no such file in the image, or not executable.",
        "Check `command` and `image`; the message has the runtime's words.",
    ),
    Reason.CANCELLED: Meaning(
        Phase.CANCELLED, "Somebody cancelled the job.", "Submit it again if it is still wanted."
    ),
    Reason.SUPERSEDED: Meaning(
        Phase.CANCELLED,
        "A newer job of the same concurrency group took its place.",
        "Look at the newer job.",
    ),
    Reason.NODE_PRESSURE: _infrastructure(
        "The node ran short of memory or disk and evicted the Pod.",
        _AGAIN + "Request what the job uses, so that nodes are not overcommitted.",
    ),
    Reason.NODE_LOST: _infrastructure(
        "The node stopped answering and did not come back.", _AGAIN + "Look at the node."
    ),
    Reason.PREEMPTED: _infrastructure(
        "The scheduler removed the Pod for one of higher priority.",
        _AGAIN + "Give jobs a PriorityClass that nothing preempts, or more nodes.",
    ),
    Reason.DRAINED: _infrastructure(
        "The Pod was deleted or evicted from outside, as when a node is drained.",
        _AGAIN + "See who deletes Pods in this namespace.",
    ),
    Reason.KUBELET_REJECTED: _infrastructure(
        "The kubelet refused the Pod, for want of a resource or by its own rules, "
        "or was interrupted while it started it.",
        _AGAIN + "The message has the kubelet's words.",
    ),
    Reason.POD_LOST: _infrastructure(
        "The Pod is gone, and nobody saw how its container ended.",
        _AGAIN + "See who deletes Pods in this namespace.",
    ),
    Reason.AGENT_FAILED: _infrastructure(
        "The agent beside the job ended before the workspace was ready.",
        _AGAIN + "The message has the agent's words.",
    ),
    Reason.START_TIMED_OUT: _infrastructure(
        "The Pod's sandbox or volumes were not ready within `startTimeoutSeconds`.",
        _AGAIN + "Look at the Pod's events.",
    ),
    Reason.SOURCE_UNREACHABLE: _infrastructure(
        "The server with the source did not answer.", _AGAIN + "Check network and address."
    ),
    Reason.SOURCE_NOT_FOUND: Meaning(
        Phase.ERROR, "There is no such source.", "Submit again: that uploads it again."
    ),
    Reason.SOURCE_REJECTED: Meaning(
        Phase.ERROR,
        "The source is not what it should be: a wrong digest, or an entry that is refused.",
        "The message names the entry; submit again.",
    ),
    Reason.SOURCE_TOO_LARGE: Meaning(
        Phase.ERROR, "The source is over a limit.", "Add build outputs to `.ciignore`."
    ),
    Reason.GIT_AUTH_FAILED: Meaning(
        Phase.ERROR,
        "The git server refused the credentials, or wants some.",
        "Check `source.git.secretName`.",
    ),
    Reason.GIT_REF_NOT_FOUND: Meaning(
        Phase.ERROR, "The repository has no such branch, tag or commit.", "Check `source.git.ref`."
    ),
    Reason.GIT_HOST_KEY: Meaning(
        Phase.ERROR,
        "The git server's host key is not the known one.",
        "Update the known hosts in the Secret, if the change is genuine.",
    ),
    Reason.IMAGE_PULL_FAILED: Meaning(
        Phase.ERROR,
        "The image could not be pulled.",
        "Check its name and `imagePullSecrets`; the message has the registry's words.",
    ),
    Reason.UNSCHEDULABLE: Meaning(
        Phase.ERROR,
        "No node could take the Pod within `startTimeoutSeconds`.",
        "Request less, add nodes, or wait longer; the message has the scheduler's words.",
    ),
    Reason.CONFIG_MISSING: Meaning(
        Phase.ERROR,
        "A Secret or ConfigMap that the job names was not there within `startTimeoutSeconds`.",
        "Create it, or correct its name.",
    ),
    Reason.QUEUE_TIMED_OUT: Meaning(
        Phase.ERROR,
        "The job waited longer than `queueTimeoutSeconds`.",
        "The message names what was missing.",
    ),
    Reason.ADMISSION_DENIED: Meaning(
        Phase.ERROR,
        "The Pod was refused: by the API server, an admission policy, or the pool's policy.",
        "The message has the words of who refused it.",
    ),
    Reason.COMMAND_MISSING: Meaning(
        Phase.ERROR,
        "A job with a source, artifacts or reports needs a `command` or `script`.",
        "Give one, in the job or its template.",
    ),
    Reason.NAME_CONFLICT: Meaning(
        Phase.ERROR,
        "A Pod of the job's name is there and belongs to somebody else.",
        "Remove that Pod, or give the job another name.",
    ),
    Reason.MALFORMED: Meaning(
        Phase.ERROR, "The object does not keep to its schema.", "Create it anew by `kubectl apply`."
    ),
    Reason.NOT_INSTALLED: Meaning(
        Phase.ERROR,
        "The job uses a feature that this installation does not have.",
        "Upgrade cijob, or leave the field out that the message names.",
    ),
    Reason.WAITING_FOR_CAPACITY: Meaning(
        Phase.QUEUED,
        "Other jobs are in front: all places are taken, or its namespace, submitter or group holds "
        "as many as it may.",
        _WAIT,
    ),
    Reason.QUOTA_EXCEEDED: Meaning(
        Phase.QUEUED,
        "The namespace's quota has no room for the Pod.",
        "Wait for other Pods to end, request less, or have the quota raised.",
    ),
    Reason.TEMPLATE_NOT_FOUND: Meaning(
        Phase.QUEUED,
        "There is no CIJobTemplate of that name, here or in the system namespace.",
        "Create it, or correct `templateRef.name`; the job starts by itself.",
    ),
    Reason.NO_FITTING_POOL: Meaning(
        Phase.QUEUED, "No pool takes such a job.", "The message names the nearest miss."
    ),
    Reason.SUSPENDED: Meaning(
        Phase.QUEUED, "`suspend` is true.", "Set `suspend` to false to have it run."
    ),
    Reason.BACKING_OFF: Meaning(
        Phase.QUEUED, "An attempt failed, and the next one waits its backoff.", "Nothing."
    ),
    Reason.PULLING_IMAGE: Meaning(
        Phase.STARTING, "The image is not there yet.", "Nothing, unless the message says why."
    ),
    Reason.STARTING: Meaning(Phase.STARTING, "The Pod is there and not running yet.", "Nothing."),
    Reason.RUNNING: Meaning(Phase.RUNNING, "The command runs.", "Nothing."),
}

_HEADER = """<!-- Generated by hack/generate from crds/cijob_api/reasons.py. Do not edit. -->
# Reasons
Every job says why it is where it is, in `status.reason`. **Failed** is the command's own verdict;
**Error** means that the platform could not run it. *Again* says which budget repeats it:
`retry.limit` for the job's own failures, `retry.infrastructureLimit` for the platform's.

| reason | phase | again | what it means | what to do |
| --- | --- | --- | --- | --- |
"""
_AGAIN_WORDS = {
    Budget.NONE: "no",
    Budget.OWN: "`limit`",
    Budget.INFRASTRUCTURE: "`infrastructureLimit`",
}


def reasons_markdown() -> str:
    """The page `docs/reasons.md`."""
    rows = [
        f"| `{reason}` | {meaning.phase} | {_AGAIN_WORDS[meaning.budget]} "
        f"| {meaning.means} | {meaning.do} |\n"
        for reason, meaning in MEANINGS.items()
    ]
    return _HEADER + "".join(rows)
