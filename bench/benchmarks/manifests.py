"""What is created: the same `echo` as a bare Pod, a batch Job and a CIJob. Pure."""

from typing import Any

Json = dict[str, Any]
IMAGE = "cijob/python:dev"
RESOURCES = {"requests": {"cpu": "10m", "memory": "16Mi"}, "limits": {"memory": "64Mi"}}
COMMAND = ["echo", "hi"]


def pod_spec() -> Json:
    """What Pod Security `restricted` admits and the operator's own Pods have."""
    security = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    return {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 1000,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [
            {
                "name": "job",
                "image": IMAGE,
                "command": COMMAND,
                "resources": RESOURCES,
                "securityContext": security,
            }
        ],
    }


def pod(name: str) -> Json:
    """A bare Pod."""
    return {"metadata": {"name": name}, "spec": pod_spec()}


def batch_job(name: str) -> Json:
    """A batch/v1 Job of one Pod."""
    return {"metadata": {"name": name}, "spec": {"template": {"spec": pod_spec()}}}


def cijob(name: str) -> Json:
    """A CIJob without a source."""
    return {
        "apiVersion": "cijob.dev/v1alpha1",
        "kind": "CIJob",
        "metadata": {"name": name},
        "spec": {"image": IMAGE, "command": COMMAND, "resources": RESOURCES},
    }


def finished_status(name: str, uid: str, moment: str) -> Json:
    """The status of a CIJob that ended well, as the operator writes it."""
    pod_name = f"{name}-1"
    facts = {
        "Admitted": ("Admitted", f"Pod {pod_name} was created"),
        "Started": ("Started", f"runs in Pod {pod_name}"),
        "Finished": ("Completed", "the command ended with exit code 0"),
        "Succeeded": ("Completed", "the command ended with exit code 0"),
    }
    conditions = [
        {"type": kind, "status": "True", "reason": reason, "message": message}
        | {"lastTransitionTime": moment}
        for kind, (reason, message) in facts.items()
    ]
    attempt = {"number": 1, "podName": pod_name, "podUID": uid, "nodeName": "fake-1"}
    attempt |= {"containerID": f"containerd://{uid}{uid}", "reason": "Completed", "exitCode": 0}
    times = {"startTime": moment, "completionTime": moment}
    return {
        "observedGeneration": 1,
        "phase": "Succeeded",
        "reason": "Completed",
        "message": "the command ended with exit code 0",
        "conditions": conditions,
        "attempts": [attempt | times],
        "pool": "default",
        "duration": "0s",
        "exitCode": 0,
        **times,
    }
