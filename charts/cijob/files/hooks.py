"""What the chart's hooks run, in Pods of our own image, which has no kubectl: `kinds` or `job`.

They speak to the API server by themselves, with the token of their Pod. Exit code 0 when what was
waited for has come.
"""

import json
import os
import ssl
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
API = "/apis/cijob.dev/v1alpha1"
DEADLINE_SECONDS = 120


def ask(path: str, body: object = None) -> dict[str, dict[str, str]]:
    """GET, or POST of a body; the answer. Raises HTTPError when refused."""
    request = urllib.request.Request(
        f"https://kubernetes.default.svc{path}",
        data=None if body is None else json.dumps(body).encode(),
        headers={
            "Authorization": f"Bearer {(ACCOUNT / 'token').read_text()}",
            "Content-Type": "application/json",
        },
    )
    context = ssl.create_default_context(cafile=str(ACCOUNT / "ca.crt"))
    with urllib.request.urlopen(request, timeout=10, context=context) as answer:  # noqa: S310
        found: dict[str, dict[str, str]] = json.load(answer)
        return found


def wait_for_kinds() -> int:
    """Until the API server serves the custom resources: up to 5 s after they were installed."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline:
        try:
            served = ask(API)["resources"]
        except urllib.error.HTTPError as error:
            if error.code not in {404, 429, 503}:
                raise
            served = {}
        if "cijobtemplates" in str(served):
            return 0
        time.sleep(0.2)
    print(f"{API} is not served after {DEADLINE_SECONDS} s; see kubectl get crd")
    return 1


def run_job() -> int:
    """Create a small job, then look until it has finished."""
    namespace = (ACCOUNT / "namespace").read_text()
    jobs = f"{API}/namespaces/{namespace}/cijobs"
    job = {
        "apiVersion": "cijob.dev/v1alpha1",
        "kind": "CIJob",
        "metadata": {"generateName": "helm-test-"},
        "spec": {
            "image": os.environ["JOB_IMAGE"],
            "imagePullSecrets": json.loads(os.environ["PULL_SECRETS"]),
            "command": ["echo", "hello"],
            "timeoutSeconds": 60,
            "ttlSecondsAfterFinished": {"succeeded": 60, "failed": 3600},
        },
    }
    name = ask(jobs, job)["metadata"]["name"]
    print(f"created the job {namespace}/{name}", flush=True)
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline:
        status = ask(f"{jobs}/{name}")["status"]
        if status["phase"] in {"Succeeded", "Failed", "Error", "Cancelled"}:
            succeeded = status["phase"] == "Succeeded"
            print("it succeeded" if succeeded else json.dumps(status, indent=2))
            return 0 if succeeded else 1
        time.sleep(0.5)
    print(f"not finished after {DEADLINE_SECONDS} s: {json.dumps(status)}; is the operator ready?")
    return 1


sys.exit({"kinds": wait_for_kinds, "job": run_job}[sys.argv[1]]())
