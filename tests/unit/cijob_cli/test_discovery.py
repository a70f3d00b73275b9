"""`ci` without a configured gateway: by a kubectl on PATH that answers as the test says."""

import base64
import json
import os
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from select import select

import pytest

from kit.certificates import make_certificate
from unit.cijob_cli.conftest import CI
from unit.cijob_cli.loopback import Loopback, end, job, log, serving

pytestmark = pytest.mark.process

# Notes each call; answers from files beside it. The port-forward lives until it is killed.
KUBECTL = """#!/bin/sh
here=$(dirname "$0")
echo "$@" >> "$here/calls"
case "$*" in
*port-forward*)
  if [ -e "$here/refusal" ]; then cat "$here/refusal" >&2; exit 1; fi
  port=$(cat "$here/named" 2>/dev/null || echo http)
  case "$*" in
  *:$port) ;;
  *) echo "error: Service 'cijob-gateway' does not have a named port '${*##*:}'" >&2; exit 1 ;;
  esac
  echo $$ >> "$here/forwards"
  echo "Forwarding from 127.0.0.1:$(cat "$here/port") -> 8080"
  exec sleep 60 ;;
*"config view"*) cat "$here/config" ;;
*"create token"*)
  if [ -e "$here/no-token" ]; then cat "$here/no-token" >&2; exit 1; fi
  cat "$here/token" ;;
esac
"""


class Kubectl:
    """The program's folder, and what it was called with."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        (folder / "kubectl").write_text(KUBECTL)
        (folder / "kubectl").chmod(0o755)

    def logs_in_by(self, user: dict[str, object], namespace: str = "team") -> None:
        view = {
            "contexts": [{"context": {"namespace": namespace}}],
            "clusters": [{"cluster": {"server": "https://127.0.0.1:6443"}}],
            "users": [{"user": user}],
        }
        (self.folder / "config").write_text(json.dumps(view))

    def mints(self, token: str, seconds: int = 3600) -> None:
        ends = (datetime.now(UTC) + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")
        status = {"token": token, "expirationTimestamp": ends}
        (self.folder / "token").write_text(json.dumps({"status": status}))

    def calls(self, word: str) -> list[str]:
        return [line for line in (self.folder / "calls").read_text().splitlines() if word in line]

    def forwards(self) -> list[int]:
        return [int(line) for line in (self.folder / "forwards").read_text().split()]


@pytest.fixture
def kubectl(ci: CI, gateway: Loopback, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kubectl:
    """A kubectl that finds the gateway on the loopback; the user has a certificate."""
    found = Kubectl(tmp_path / "bin")
    monkeypatch.setenv("PATH", f"{found.folder}{os.pathsep}{os.environ['PATH']}")
    for name in ("CI_GATEWAY", "CI_TOKEN", "CI_NAMESPACE"):
        monkeypatch.delenv(name)
    (found.folder / "port").write_text(gateway.url.rpartition(":")[2])
    found.logs_in_by({"client-certificate-data": base64.b64encode(b"x").decode()})
    found.mints("secret")
    return found


def ends(pid: int) -> bool:
    """Whether a process ends within 5 s; it was told to."""
    try:
        process = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        return bool(select([process], [], [], 5)[0])
    finally:
        os.close(process)


def test_a_port_forward_leads_to_the_gateway_and_ends_with_us(ci: CI, kubectl: Kubectl) -> None:
    assert ci("list").err == "ci: no such jobs in namespace team\n"
    assert kubectl.calls("port-forward") == [
        "port-forward --namespace=cijob-system --address=127.0.0.1 service/cijob-gateway :http"
    ]
    assert [ends(pid) for pid in kubectl.forwards()] == [True]


def test_context_kubeconfig_and_system_namespace_go_to_kubectl(ci: CI, kubectl: Kubectl) -> None:
    ci("list", "--context", "other", "--kubeconfig", "/k", "--system-namespace", "sys")
    calls = kubectl.calls("")
    assert all(call.startswith("--context=other --kubeconfig=/k ") for call in calls)
    assert "--namespace=sys" in kubectl.calls("port-forward")[0]


def test_a_certificates_user_gets_a_minted_token_that_is_kept_privately(
    ci: CI, kubectl: Kubectl, home: Path
) -> None:
    assert [ci("list").code, ci("list").code] == [0, 0]
    (call,) = kubectl.calls("create token")
    assert call.startswith("create token ci-cli --namespace=cijob-system --audience=cijob-gateway")
    (stored,) = (home / ".cache/ci").iterdir()
    assert stored.stat().st_mode & 0o777 == 0o600


def test_a_kept_token_near_its_end_is_not_begun_with(ci: CI, kubectl: Kubectl) -> None:
    kubectl.mints("secret", seconds=200)
    assert [ci("list").code, ci("list").code] == [0, 0]
    assert len(kubectl.calls("create token")) == 2


def test_a_kept_token_that_is_refused_is_minted_anew(
    ci: CI, kubectl: Kubectl, gateway: Loopback
) -> None:
    ci("list")
    gateway.token = "another"
    kubectl.mints("another")
    assert ci("list").code == 0
    assert len(kubectl.calls("create token")) == 2


@pytest.mark.parametrize("way", ["token", "tokenFile", "exec"])
def test_a_users_own_token_is_taken(ci: CI, kubectl: Kubectl, tmp_path: Path, way: str) -> None:
    (tmp_path / "file").write_text("secret\n")
    script = 'echo "{\\"status\\": {\\"token\\": \\"$A\\"}}"'
    plugin = {"command": "sh", "args": ["-c", script], "env": [{"name": "A", "value": "secret"}]}
    users: dict[str, dict[str, object]] = {
        "token": {"token": "secret"},
        "tokenFile": {"tokenFile": str(tmp_path / "file")},
        "exec": {"exec": plugin},
    }
    kubectl.logs_in_by(users[way])
    assert ci("list").code == 0
    assert kubectl.calls("create token") == []


def test_a_gateway_without_login_needs_no_token(
    ci: CI, kubectl: Kubectl, gateway: Loopback
) -> None:
    gateway.token = None
    (kubectl.folder / "no-token").write_text('error: serviceaccounts "ci-cli" not found')
    assert ci("list").code == 0


def test_a_token_that_cannot_be_minted_is_explained(ci: CI, kubectl: Kubectl) -> None:
    (kubectl.folder / "no-token").write_text('error: serviceaccounts "ci-cli" is forbidden: no')
    ended = ci("list")
    assert ended.code == 4
    assert '"ci-cli" is forbidden: no)' in ended.err


def test_the_default_namespace_is_the_contexts(ci: CI, kubectl: Kubectl) -> None:
    kubectl.logs_in_by({"token": "secret"}, namespace="")
    assert "namespace default" in ci("list").err
    assert "namespace mine" in ci("list", "-n", "mine").err


def test_no_gateway_in_the_cluster_is_said(ci: CI, kubectl: Kubectl) -> None:
    words = 'Error from server (NotFound): services "cijob-gateway" not found'
    (kubectl.folder / "refusal").write_text(words)
    for command in ("list", "doctor"):
        ended = ci(command)
        assert ended.code == 7
        assert "no cijob gateway in namespace cijob-system" in ended.err + ended.out
        assert "install the chart, or say where it is" in ended.err + ended.out


def test_no_kubectl_is_said_plainly(
    ci: CI, kubectl: Kubectl, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    ended = ci("list")
    assert ended.code == 7
    assert ended.err.startswith("ci: no kubectl on PATH")


def test_a_port_forward_that_dies_in_a_follow_is_started_anew(
    ci: CI, kubectl: Kubectl, gateway: Loopback
) -> None:
    gateway.jobs["test-01"] = job("test-01")
    gateway.streams = [[log("one\n", second=1)], [log("two\n", second=2), end()]]
    ended = ci("wait", "test-01")
    assert (ended.code, ended.out) == (0, "one\ntwo\n")
    assert len(kubectl.forwards()) == 2
    assert all(ends(pid) for pid in kubectl.forwards())


@pytest.fixture
def https(kubectl: Kubectl, tmp_path: Path) -> Iterator[Path]:
    """A gateway that speaks https only, by a certificate for its Service; that certificate."""
    certificate, key = make_certificate(tmp_path, "cijob-gateway.cijob-system.svc")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with serving() as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        server.begin()
        (kubectl.folder / "port").write_text(str(server.server_address[1]))
        (kubectl.folder / "named").write_text("https")
        yield certificate


def test_a_port_named_https_is_spoken_to_so_and_its_certificate_is_the_services(
    ci: CI, kubectl: Kubectl, https: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(https))
    ended = ci("templates")
    assert (ended.code, ended.err) == (0, "")
    asked = [call.rpartition(" ")[2] for call in kubectl.calls("port-forward")]
    assert asked == [":http", ":https"]


def test_a_certificate_that_is_not_believed_ends_it_with_what_to_do(
    ci: CI, https: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other").mkdir()
    other, _ = make_certificate(tmp_path / "other", "cijob-gateway.cijob-system.svc")
    monkeypatch.setenv("SSL_CERT_FILE", str(other))
    ended = ci("templates")
    assert (ended.code, ended.out) == (7, "")
    assert "cannot be verified (self-signed certificate); set SSL_CERT_FILE to a fi" in ended.err


def test_a_file_without_certificates_is_said(
    ci: CI, https: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", os.devnull)
    ended = ci("templates")
    assert ended.code == 2
    assert ended.err.startswith("ci: the certificates that SSL_CERT_FILE names cannot be read: ")


def test_a_certificate_of_another_name_ends_it_with_that_name(
    ci: CI, https: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(https))
    ended = ci("templates", "--system-namespace", "sys")
    assert ended.code == 7
    assert "certificate is not valid for 'cijob-gateway.sys.svc'; whoever runs it" in ended.err


def test_a_service_with_neither_port_is_said(ci: CI, kubectl: Kubectl) -> None:
    (kubectl.folder / "named").write_text("other")
    ended = ci("templates")
    assert ended.code == 7
    assert "cijob-gateway in namespace cijob-system has a port named neither http" in ended.err


def test_doctor_shows_the_way(ci: CI, kubectl: Kubectl) -> None:
    lines = ci("doctor").out.splitlines()
    assert lines[0] == "✓ settings:   none given: all from the kubeconfig"
    assert lines[1] == f"✓ kubectl:    {kubectl.folder}/kubectl"
    assert lines[2] == "✓ kubeconfig: https://127.0.0.1:6443, namespace team"
    assert "by port-forward to namespace cijob-system" in lines[3]
