"""A cluster comes and goes, also when it is killed in the middle, and leaves nothing behind."""

import os
import signal
import subprocess
import time
from functools import partial
from pathlib import Path

import pytest

from kit.machine import NAME, ROOT, kind

STATE = Path("/var/lib/cijob-cluster") / NAME
pytestmark = pytest.mark.usefixtures("unchanged_machine")


def create(kubeconfig: Path) -> subprocess.CompletedProcess[str]:
    return kind("create", "cluster", f"--name={NAME}", f"--kubeconfig={kubeconfig}")


def delete(kubeconfig: Path) -> subprocess.CompletedProcess[str]:
    return kind("delete", "cluster", f"--name={NAME}", f"--kubeconfig={kubeconfig}")


def test_create_and_delete_twice_in_a_row(kubeconfig: Path) -> None:
    for _ in range(2):
        create(kubeconfig)
        assert kind("get", "clusters").stdout.split() == [NAME]
        assert kind("get", "nodes", f"--name={NAME}").stdout.split() == [f"{NAME}-control-plane"]
        assert kind("get", "kubeconfig", f"--name={NAME}").stdout == kubeconfig.read_text()
        delete(kubeconfig)
        assert NAME not in kubeconfig.read_text()


def test_a_second_create_is_a_no_op_that_says_so(kubeconfig: Path) -> None:
    create(kubeconfig)
    processes = (STATE / "pids" / "etcd").read_text()
    assert f"cluster {NAME!r} is running already" in create(kubeconfig).stderr
    assert (STATE / "pids" / "etcd").read_text() == processes


def test_another_name_beside_a_running_cluster_is_refused(kubeconfig: Path) -> None:
    create(kubeconfig)
    refused = kind("create", "cluster", "--name=other", check=False)
    assert refused.returncode == 1
    assert refused.stderr == (
        f"ERROR: cluster {NAME!r} is running, and this machine holds one at a time; "
        f"`kind delete cluster --name {NAME}` ends it\n"
    )


@pytest.mark.parametrize("made", ["pki/ca.crt", "sysctls.json", "node.ready", "pids/kubelet"])
def test_a_create_killed_in_the_middle_is_cleaned_up(kubeconfig: Path, made: str) -> None:
    command = [str(ROOT / "hack/kind"), "create", "cluster", f"--name={NAME}"]
    process = subprocess.Popen([*command, f"--kubeconfig={kubeconfig}"])
    deadline = time.monotonic() + 120
    while not (STATE / made).exists():
        assert process.poll() is None, f"create ended before {made}"
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.kill()
    process.wait()
    assert kind("get", "clusters").stdout == ""


def test_a_create_after_a_killed_one_starts_afresh(kubeconfig: Path) -> None:
    test_a_create_killed_in_the_middle_is_cleaned_up(kubeconfig, "pids/kubelet")
    assert "removing what is left" in create(kubeconfig).stderr
    assert kind("get", "clusters").stdout.split() == [NAME]


def test_a_machine_that_lost_its_processes_starts_afresh(kubeconfig: Path) -> None:
    create(kubeconfig)
    pid = int((STATE / "pids" / "etcd").read_text())
    init = Path(f"/proc/{pid}/ns/pid_for_children").readlink()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and _is_first_of(entry, init):
            os.kill(int(entry.name), signal.SIGKILL)
    assert kind("get", "clusters").stdout == ""
    create(kubeconfig)


def _is_first_of(entry: Path, namespace: Path) -> bool:
    """Whether a process is number 1 of a PID namespace."""
    try:
        status = (entry / "status").read_text()
        same = (entry / "ns" / "pid").readlink() == namespace
    except OSError:
        return False
    return same and any(
        line.startswith("NSpid:") and line.split()[-1] == "1" for line in status.splitlines()
    )


def test_logs_are_exported(kubeconfig: Path, tmp_path: Path) -> None:
    create(kubeconfig)
    kind("export", "logs", str(tmp_path / "logs"), f"--name={NAME}")
    assert (tmp_path / "logs" / "daemons" / "kubelet.log").stat().st_size > 0
    assert list((tmp_path / "logs" / "pods").glob("kube-system_coredns*"))


def test_a_component_that_is_none_is_refused_by_name(kubeconfig: Path) -> None:
    create(kubeconfig)
    refused = kind("kill", "component", "kubeplet", f"--name={NAME}", check=False)
    assert (refused.returncode, "kubeplet" in refused.stderr) == (1, True)


def test_addresses_that_another_network_uses_are_refused_by_link(kubeconfig: Path) -> None:
    run = partial(subprocess.run, check=True)
    run(["ip", "link", "add", "elsewhere", "type", "bridge"])
    try:
        run(["ip", "address", "add", "10.199.0.9/24", "dev", "elsewhere"])
        run(["ip", "link", "set", "elsewhere", "up"])
        refused = kind("create", "cluster", f"--name={NAME}", check=False)
    finally:
        run(["ip", "link", "delete", "elsewhere"])
    assert refused.returncode == 1
    assert "in use on link elsewhere; take that link down first" in refused.stderr
    assert not kubeconfig.exists()
