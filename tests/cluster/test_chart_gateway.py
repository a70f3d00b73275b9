"""The gateway as the chart installs it: with a certificate, and without a login."""

import subprocess
from pathlib import Path

from kit.chart import Release

ASK = """
import sys, urllib.request
try:
    print(urllib.request.urlopen(sys.argv[1], timeout=5).status)
except OSError as error:
    print(repr(error))
"""


def ask(release: Release, url: str) -> str:
    """The status of a GET from inside the gateway's Pod, or what went wrong."""
    words = ("exec", "-n", release.namespace, "deployment/cijob-gateway", "--")
    return release.cluster.kubectl(*words, "python", "-c", ASK, url).stdout.strip()


def make_certificate(folder: Path, host: str) -> tuple[Path, Path]:
    """A certificate that vouches for itself, and its key."""
    certificate, key = folder / "tls.crt", folder / "tls.key"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command += ["-subj", "/CN=x", "-addext", f"subjectAltName=DNS:{host}"]
    command += ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    return certificate, key


def test_with_a_certificate_both_listeners_speak_https_and_the_ca_bundle_is_believed(
    release: Release, tmp_path: Path
) -> None:
    host = f"cijob-gateway.{release.namespace}.svc"
    certificate, key = make_certificate(tmp_path, host)
    words = ("create", "secret", "tls", "own", "-n", release.namespace)
    release.cluster.kubectl(*words, f"--cert={certificate}", f"--key={key}")
    release.install("--set=gateway.tls.existingSecret=own", f"--set-file=caBundle={certificate}")
    assert ask(release, f"https://{host}:80/v1/version") == "200"
    assert ask(release, f"https://{host}:8081/readyz") == "200"
    assert "RemoteDisconnected" in ask(release, f"http://{host}:8081/readyz")


def test_without_a_login_only_a_port_forward_reaches_the_user_api(release: Release) -> None:
    release.install("--set=gateway.auth=none")
    assert ask(release, "http://localhost:8080/v1/version") == "200"
    service = f"http://cijob-gateway.{release.namespace}.svc"
    assert "refused" in ask(release, f"{service}/v1/version")
    assert ask(release, f"{service}:8081/readyz") == "200"
