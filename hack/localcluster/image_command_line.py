"""`hack/build-images`: build the project's images, then load them into the cluster or push them."""

import argparse
import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from localcluster import cluster, handover, image_builds, images
from localcluster.errors import ClusterError
from localcluster.running import say
from localcluster.settings import MINIO_IMAGE, Settings, read_settings


def main() -> int:
    """Build, then load or push. Exit code 1 with one line when something is missing."""
    parser = argparse.ArgumentParser(prog="build-images", description=__doc__)
    parser.add_argument("--registry", default="", help="push there instead of loading")
    options = parser.parse_args()
    settings = read_settings()
    try:
        with one_at_a_time(settings):
            if kind := handover.real_kind():
                with_docker(settings, kind, options.registry)
            else:
                with_buildah(settings, options.registry)
    except ClusterError as error:
        say(f"ERROR: {error}")
        return 1
    return 0


@contextmanager
def one_at_a_time(settings: Settings) -> Iterator[None]:
    """Two builds of one image would write the same archive."""
    settings.cache.mkdir(parents=True, exist_ok=True)
    with (settings.cache / "images.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def with_docker(settings: Settings, kind: Path, registry: str) -> None:
    """Build with docker; load through kind, or push."""
    names = [
        image_builds.build_with_docker(settings, image, registry)
        for image in image_builds.DOCKER_IMAGES
    ]
    for name in names:
        if registry:
            image_builds.run_shown(["docker", "push", name])
        else:
            for found in handover.clusters(kind):
                image_builds.run_shown([str(kind), "load", "docker-image", name, "--name", found])


def with_buildah(settings: Settings, registry: str) -> None:
    """Build with buildah; load into every running cluster, or push."""
    archives = {image.name: image_builds.build(settings, image) for image in image_builds.IMAGES}
    archives[MINIO_IMAGE] = image_builds.build_minio(settings)
    for name, archive in archives.items():
        if registry:
            image_builds.push(settings, archive, f"{registry.rstrip('/')}/{name}")
        for found in cluster.names(settings) if not registry else []:
            images.load_archive(settings, settings.state / found, archive)
