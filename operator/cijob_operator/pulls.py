"""How long the images of Pods were pulled: the kubelet says it in Events only, and in words.

Kept by `cache`; `main` has it listen while this process leads. A Pod's status does not tell a pull
from anything else that a container waits for. Events are best effort and last an hour: what is not
known is not said. No job is looked at because of one, and nothing waits for one.
"""

import re
from collections.abc import Iterable

from cijob_operator.eventstreams import Json, Stream, Watcher, hear

PULLED = "involvedObject.kind=Pod,reason=Pulled"
CONTAINERS = {"spec.containers{job}", "spec.containers{agent}", "spec.initContainers{agent}"}
MOST_PODS = 10_000
AGAIN_SECONDS = 5
# kubernetes/pkg/kubelet/images/image_manager.go, EnsureImageExists. What was there already has
# other words, "already present on machine".
_TOOK = re.compile(
    r'Successfully pulled image "[^"]*" in (?P<alone>\S+)( \((?P<waited>\S+) including waiting\))?'
)
_PART = re.compile(r"(\d+(?:\.\d+)?)(h|ms|m|s|[uµ]s|ns)")
_SECONDS = {"h": 3600, "m": 60, "s": 1, "ms": 1e-3}  # of less there is nothing to say


class Pulls:
    """What the kubelets said of Pods like ours."""

    def __init__(self) -> None:
        self._known: dict[str, dict[str, float]] = {}

    def seconds(self, pod_uid: str) -> float:
        """How long a Pod's images were pulled, waiting for other pulls included."""
        return sum(self._known.get(pod_uid, {}).values())

    def take(self, body: Json) -> None:
        """Take in an Event; most say nothing of a pull."""
        about = body.get("involvedObject") or {}
        uid, container = about.get("uid"), about.get("fieldPath")
        seconds = pull_seconds(body.get("message") or "")
        if not uid or container not in CONTAINERS or not seconds:
            return
        self._known.setdefault(uid, {})[container] = seconds
        if len(self._known) > MOST_PODS:
            del self._known[next(iter(self._known))]


async def listen(api: Watcher, pulls: Pulls, namespaces: Iterable[str]) -> None:
    """Hear of all pulls in these namespaces, or in all, for ever; first of the last hour's."""
    query = {"fieldSelector": PULLED}
    events = Stream("events", query, "pulls are not heard of", AGAIN_SECONDS)
    await hear(api, events, namespaces, lambda event: pulls.take(event["object"]))


def pull_seconds(message: str) -> float:
    """What a message of the kubelet's says of a pull, in seconds; 0 for any other one."""
    if not (found := _TOOK.match(message)):
        return 0.0
    parts = _PART.findall(found["waited"] or found["alone"])
    return sum(float(number) * _SECONDS.get(unit, 0) for number, unit in parts)
