"""Jobs that were forged past their schema: written where the API server keeps them, in etcd.

So does a job that an older CRD let in. It gets an end with words, and disturbs no other.
"""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from kit.cluster import Cluster
from kit.operator import Operator

ETCD = "http://127.0.0.1:2379/v3/kv"
pytestmark = pytest.mark.seam


def ask(cluster: Cluster, call: str, body: dict[str, str]) -> dict[str, Any]:
    """One call of etcd's JSON gateway, made inside the node."""
    encoded = {name: base64.b64encode(text.encode()).decode() for name, text in body.items()}
    curl = ("curl", "-sSf", "-m", "30", "--noproxy", "*", f"{ETCD}/{call}", "-d", "@-")
    answer: dict[str, Any] = json.loads(cluster.in_node(*curl, stdin=json.dumps(encoded)))
    return answer


def forge(operator: Operator, name: str, **spec: Any) -> None:
    """Change a stored job's spec without asking the API server."""
    key = f"/registry/cijob.dev/cijobs/{operator.namespace}/{name}"
    (found,) = ask(operator.cluster, "range", {"key": key})["kvs"]
    stored = json.loads(base64.b64decode(found["value"]))
    stored["spec"] |= spec
    ask(operator.cluster, "put", {"key": key, "value": json.dumps(stored)})


def test_a_malformed_job_says_which_field_is_wrong(operator: Operator) -> None:
    operator.submit("bent", command=["true"], suspend=True)
    operator.until_reason("bent", "Suspended")
    forge(operator, "bent", priority=10**9)
    status = operator.finished("bent")
    assert (status["phase"], status["reason"]) == ("Error", "Malformed")
    assert status["message"].startswith("spec.priority: ")
    assert operator.pods_ever("bent") == []


def test_malformed_jobs_disturb_no_other(operator: Operator) -> None:
    """Not even one that was malformed before the operator started, or one whose status nobody can
    write: the API server evaluates no rule on a field of another type."""
    for name in ("first-bent", "beyond-words"):
        operator.submit(name, command=["true"], suspend=True)
        operator.until_reason(name, "Suspended")
    assert operator.stop() == 0
    forge(operator, "first-bent", priority=10**9)
    forge(operator, "beyond-words", timeoutSeconds="soon")
    operator.start()
    assert operator.finished(operator.submit("sound", command=["true"]))["reason"] == "Completed"
    status = operator.finished("first-bent")
    assert (status["phase"], status["reason"]) == ("Error", "Malformed")
    assert about(operator, "beyond-words")[-1]["level"] == "warning"


def test_a_job_whose_status_cannot_be_written_is_explained_in_the_log(operator: Operator) -> None:
    operator.submit("unmarked", command=["true"], suspend=True)
    operator.until_reason("unmarked", "Suspended")
    forge(operator, "unmarked", timeoutSeconds="soon")
    words = "cannot be marked"
    operator.cluster.until(
        "its line", lambda: any(words in line["message"] for line in about(operator, "unmarked"))
    )
    assert "timeoutSeconds" in json.dumps(about(operator, "unmarked"))


def test_a_running_job_that_becomes_malformed_is_stopped(operator: Operator) -> None:
    operator.submit("bends", script="exec sleep 300", terminationGracePeriodSeconds=0)
    operator.until_reason("bends", "Running")
    forge(operator, "bends", priority=10**9)
    status = operator.finished("bends")
    assert (status["phase"], status["reason"]) == ("Error", "Malformed")
    operator.cluster.until("the end of its Pod", lambda: not running(operator, "bends"))


def test_a_malformed_job_goes_after_a_week(operator: Operator) -> None:
    """Forged: the time of its end."""
    operator.submit("old", command=["true"], suspend=True)
    operator.until_reason("old", "Suspended")
    forge(operator, "old", priority=10**9)
    operator.finished("old")
    ended = datetime.now(UTC) - timedelta(days=7)
    status = {"status": {"completionTime": ended.strftime("%Y-%m-%dT%H:%M:%SZ")}}
    where = ("-n", operator.namespace, "cij", "old")
    words = ("--subresource=status", "--type=merge", "-p", json.dumps(status))
    operator.cluster.kubectl("patch", *where, *words)
    operator.cluster.kubectl("wait", "-n", operator.namespace, "cij/old", "--for=delete")


def about(operator: Operator, job: str) -> list[dict[str, Any]]:
    """The lines of the operator's log about a job."""
    name = f"{operator.namespace}/{job}"
    return [line for line in operator.lines() if line.get("job") == name]


def running(operator: Operator, job: str) -> bool:
    """Whether a Pod of a job still runs."""
    return any(pod["status"]["phase"] == "Running" for pod in operator.pods(job))


def test_a_malformed_template_is_as_good_as_missing(operator: Operator) -> None:
    kind = {"apiVersion": "cijob.dev/v1alpha1", "kind": "CIJobTemplate"}
    spec = {"image": "cijob/python:dev", "command": ["true"]}
    operator.cluster.apply(
        operator.namespace, {**kind, "metadata": {"name": "crooked"}, "spec": spec}
    )
    key = f"/registry/cijob.dev/cijobtemplates/{operator.namespace}/crooked"
    (found,) = ask(operator.cluster, "range", {"key": key})["kvs"]
    stored = json.loads(base64.b64decode(found["value"]))
    stored["spec"]["command"] = "no list"
    assert operator.stop() == 0
    ask(operator.cluster, "put", {"key": key, "value": json.dumps(stored)})
    operator.start()
    operator.submit("hopeful", templateRef={"name": "crooked"})
    status = operator.until_reason("hopeful", "TemplateNotFound")
    assert "'crooked'" in status["message"]
