"""Submitting while the chart is upgraded: Helm deletes its templates and makes them anew."""

import json
import threading
from collections import Counter
from http.client import HTTPConnection
from pathlib import Path

from kit.chart import Release
from kit.cluster import JOB_IMAGE
from kit.installed import Installed, forwarded

ASKED = {"spec": {"image": JOB_IMAGE, "command": ["true"], "templateRef": {"name": "run"}}}


def answers(address: str, path: str, token: str, upgraded: threading.Event) -> Counter[int]:
    """Check a submission again and again until the upgrade is over; how often which status came."""
    seen: Counter[int] = Counter()
    head = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    connection = HTTPConnection(address.removeprefix("http://"), timeout=30)
    while not upgraded.is_set():
        connection.request("POST", path, json.dumps(ASKED), head)
        with connection.getresponse() as answer:
            answer.read()
        seen[answer.status] += 1
    connection.close()
    return seen


def uid_of_template(release: Release) -> str:
    """The UID of the template that is asked for."""
    template = release.cluster.get("cijobtemplate", "run", "-n", release.namespace)
    return str(template["metadata"]["uid"])


def test_no_submission_misses_its_template_during_an_upgrade(
    release: Release, tmp_path: Path
) -> None:
    options = f"--set=jobNamespaces={{{release.namespace}}}"
    release.install(options)
    before = uid_of_template(release)
    words = ("create", "token", "ci-cli", "-n", release.namespace, "--audience=cijob-gateway")
    token = release.cluster.kubectl(*words).stdout.strip()
    upgraded, seen = threading.Event(), Counter[int]()
    person = Installed(release.cluster, release.namespace, release.namespace, "", tmp_path)
    with forwarded(person) as address:
        path = f"/v1/namespaces/{release.namespace}/jobs?dryRun=true"
        asked = (address, path, token, upgraded)
        submitting = threading.Thread(target=lambda: seen.update(answers(*asked)))
        submitting.start()
        try:
            for _ in range(3):  # the same again: nothing restarts, only the hooks run
                release.upgrade(options)
        finally:
            upgraded.set()
            submitting.join()
    assert uid_of_template(release) != before, "Helm did not replace it: what is tested here?"
    assert set(seen) == {200}, seen
