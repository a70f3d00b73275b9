"""The Build Job API as the chart installs it on a laptop: no login, a port-forward, and curl."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kit import servers
from kit.chart import Release
from kit.githost import hosting

PROGRAM = r"""
git init -q -b main /tmp/work
cd /tmp/work
printf 'int main(void) { return 0; }\n' > main.c
printf 'all:\n\tmkdir dist && $(CC) -o dist/main main.c\n' > Makefile
git add . && git commit -qm first
git clone -q --bare /tmp/work /tmp/git/repositories/project.git
"""


@contextmanager
def forwarded(release: Release) -> Iterator[str]:
    """The API's URL on this machine while `kubectl port-forward` runs."""
    port = servers.free_port()
    kubectl, config = release.cluster.kubectl_path, release.cluster.kubeconfig
    words = ("port-forward", "-n", release.namespace, "deployment/cijob-gateway", f"{port}:8080")
    command = [str(kubectl), f"--kubeconfig={config}", *words]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert "Forwarding" in process.stdout.readline()
        try:
            yield f"http://localhost:{port}/api/v1/infrastructure/build-jobs"
        finally:
            process.terminate()


def curl(*words: str) -> Any:
    command = ["curl", "--silent", "--show-error", "--fail-with-body", *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


def test_a_repository_is_built_by_curl_and_what_was_built_is_kept(
    release: Release, tmp_path: Path
) -> None:
    with hosting(release.cluster, tmp_path, PROGRAM) as host:
        team = f"--set=jobNamespaces={{{release.namespace}}}"
        trust = f"--set-file=caBundle={tmp_path / 'ca.crt'}"
        release.install("--set=gateway.auth=none", team, trust)
        with forwarded(release) as api:
            asked = {
                "source_repository": f"{host.url}/project.git",
                "branch": "main",
                "commit_hash": "HEAD",
                "target_architecture": "x86_64",
                "server_id": "auto",
            }
            kind = ("-H", "Content-Type: application/json")
            identity = curl("-X", "POST", api, *kind, "-d", json.dumps(asked))["id"]
            release.cluster.until(
                "the end of the build",
                lambda: curl(f"{api}/{identity}/status")["status"] in {"completed", "failed"},
            )
            assert curl(f"{api}/{identity}/status")["status"] == "completed", curl(
                f"{api}/{identity}/logs"
            )
    [found] = release.cluster.get("cij", "-n", release.namespace)["items"]
    assert found["metadata"]["uid"] == identity
    assert [one["name"] for one in found["status"]["results"]["artifacts"]] == ["dist"]
