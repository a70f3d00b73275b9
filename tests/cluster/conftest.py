"""Fixtures of every cluster test: the cluster, its seams, and a namespace of one's own."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_kind import KindCluster

from kit.chart import Release
from kit.cluster import ROOT, Cluster, establish_resources, fresh_namespace, pod, terminated
from kit.gateway import Minio, minio_program
from kit.gitproject import Project, hosted_project
from kit.installed import Installed, installation
from kit.operator import Operator


@pytest.fixture(scope="session")
def cluster(kind_cluster: KindCluster) -> Cluster:
    """The cluster of this session, with the images of this tree loaded."""
    subprocess.run([ROOT / "hack" / "build-images"], check=True, timeout=1200)
    provider = subprocess.run(
        [ROOT / "hack" / "kind", "get", "provider"], capture_output=True, text=True, check=True
    )
    return Cluster(
        name=kind_cluster.name,
        kubeconfig=Path(kind_cluster.kubeconfig_path),
        kubectl_path=Path(kind_cluster.kubectl_path),
        provider=provider.stdout.strip(),
    )


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """A namespace for one test."""
    with fresh_namespace(cluster) as name:
        yield name


@pytest.fixture
def whole_again(cluster: Cluster) -> Iterator[None]:
    """For a test that kills a part of the cluster: the next one finds a cluster that runs Pods.

    Whoever watched the API server comes back to it after a pause that has grown to some 20 s.
    """
    yield
    with fresh_namespace(cluster) as namespace:
        cluster.apply(namespace, pod("probe", "true"))
        terminated(cluster, namespace, "probe")


@pytest.fixture(autouse=True)
def _seam(request: pytest.FixtureRequest) -> None:
    """Skip, by name, what the real kind has no seam for."""
    if request.node.get_closest_marker("seam"):
        cluster = request.getfixturevalue("cluster")
        if cluster.provider != "local":
            pytest.skip(f"{request.node.name} needs a seam that only the local cluster has")


@pytest.fixture(scope="session")
def crds(cluster: Cluster) -> None:
    """The custom resources of this tree."""
    establish_resources(cluster)


@pytest.fixture(scope="module")
def operator(
    cluster: Cluster, crds: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Operator]:
    """An operator for the tests of one module, in a namespace of its own."""
    with fresh_namespace(cluster) as namespace:
        operator = Operator(cluster, namespace, tmp_path_factory.mktemp("operator")).start()
        yield operator
        assert operator.stop() == 0, operator.log.read_text()[-3000:]


@pytest.fixture(scope="session")
def installed(
    cluster: Cluster, crds: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installed]:
    """The product as its users have it, for all tests of the session."""
    with installation(cluster, tmp_path_factory.mktemp("home")) as found:
        yield found


@pytest.fixture(scope="module")
def hosted(installed: Installed, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Project]:
    """A git server with a project, in a namespace of its own, for the tests of one module."""
    folder = tmp_path_factory.mktemp("authority")
    with hosted_project(installed.cluster, installed.namespace, folder) as running:
        yield running


@pytest.fixture(scope="module")
def minio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Minio]:
    """An S3 server for the tests of one module."""
    program = minio_program()
    assert program is not None
    server = Minio(tmp_path_factory.mktemp("minio"), program).start()
    yield server
    server.kill()


@pytest.fixture
def release(cluster: Cluster, crds: None, namespace: str) -> Iterator[Release]:
    """A release that is not installed yet; uninstalled afterwards if the test left it."""
    found = Release(cluster, namespace)
    yield found
    if found.installed():
        found.uninstall()
