"""The gateway as the chart installs it: with a certificate, and without a login."""

from pathlib import Path

from kit.certificates import make_certificate
from kit.chart import Release
from kit.installed import Installed

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


def until_it_answers(release: Release, url: str) -> None:
    """Wait for a 200: a Service leads to its Pod some time after that is ready."""
    release.cluster.until(f"an answer of {url}", lambda: ask(release, url) == "200")


def templates(release: Release, home: Path, authority: Path) -> tuple[int, str, str]:
    """`ci templates` with a kubeconfig and an authority; exit code, stdout, stderr."""
    person = Installed(release.cluster, release.namespace, release.namespace, "", home)
    ended = person.ci("templates", SSL_CERT_FILE=str(authority))
    return ended.returncode, ended.stdout, ended.stderr


def test_with_a_certificate_both_listeners_speak_https_and_the_ca_bundle_is_believed(
    release: Release, tmp_path: Path
) -> None:
    host = f"cijob-gateway.{release.namespace}.svc"
    certificate, key = make_certificate(tmp_path, host)
    words = ("create", "secret", "tls", "own", "-n", release.namespace)
    release.cluster.kubectl(*words, f"--cert={certificate}", f"--key={key}")
    rights = f"--set=jobNamespaces={{{release.namespace}}}"
    tls = ("--set=gateway.tls.existingSecret=own", f"--set-file=caBundle={certificate}")
    release.install(rights, *tls)
    until_it_answers(release, f"https://{host}:80/v1/version")
    until_it_answers(release, f"https://{host}:8081/readyz")
    assert "RemoteDisconnected" in ask(release, f"http://{host}:8081/readyz")
    ci_finds_it_and_believes_its_certificate_only(release, tmp_path, certificate)


def ci_finds_it_and_believes_its_certificate_only(
    release: Release, home: Path, certificate: Path
) -> None:
    code, out, err = templates(release, home, certificate)
    assert (code, err) == (0, "")
    assert [line.split()[0] for line in out.splitlines()[1:]] == ["build", "run", "test"]
    (home / "other").mkdir()
    other, _ = make_certificate(home / "other", "other.example.com")
    code, out, err = templates(release, home, other)
    assert (code, out) == (7, "")
    assert "its certificate cannot be verified (self-signed certificate); set SSL_CERT_FILE" in err


def test_without_a_login_only_a_port_forward_reaches_the_user_api(release: Release) -> None:
    release.install("--set=gateway.auth=none")
    assert ask(release, "http://localhost:8080/v1/version") == "200"
    service = f"http://cijob-gateway.{release.namespace}.svc"
    until_it_answers(release, f"{service}:8081/readyz")
    assert "refused" in ask(release, f"{service}/v1/version")
