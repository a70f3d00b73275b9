"""Building the project's images: with docker where it runs, else with buildah, without a pull.

Called by `hack/build-images`. An image is rebuilt only when one of its inputs changed. Without
docker the base image is a small Debian with Python, made from Debian's own packages.
"""

import hashlib
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from localcluster.errors import ClusterError, Missing
from localcluster.images import static_archive
from localcluster.running import run, say
from localcluster.settings import MINIO_IMAGE, SYSTEM_IMAGE, Settings, child_environment

BASE_PACKAGES = "python3,python3-venv,git,openssh-client,ca-certificates"
LEFT_OUT = ("/usr/share/doc/*", "/usr/share/man/*", "/usr/share/locale/*", "/usr/share/info/*")
# What a build may read of the caller's environment, to reach a package index.
INDEX_SETTINGS = ("PIP_INDEX_URL",)
CA_BUNDLES = ("PIP_CERT", "SSL_CERT_FILE")


@dataclass(frozen=True)
class Image:
    """An image of this repository: its name, its build context, and what goes into it."""

    name: str
    context: str
    inputs: tuple[str, ...]
    dockerfile: str = "Dockerfile"  # relative to the context


IMAGES = (
    Image(
        SYSTEM_IMAGE,
        ".",
        (
            "Dockerfile",
            "pyproject.toml",
            "README.md",
            "LICENSE",
            "requirements/image.lock",
            "crds",
            "kube",
            "operator",
            "gateway",
            "agent",
            "cli",
        ),
    ),
    Image("cijob/python:dev", "images/python", ("images/python",)),
    Image("cijob/build:dev", "images/build", ("images/build",)),
)
# What the local cluster gets from its own build of the program.
DOCKER_IMAGES = (
    *IMAGES,
    # Not beside the module: its folder is hashed, and a program built anew for it.
    Image(MINIO_IMAGE, "hack/components/minio", (), "../../../images/minio/Dockerfile"),
)


def archive_path(settings: Settings, name: str) -> Path:
    """Where the archive of a built image lies in the cache."""
    return settings.cache / "images" / f"{name.replace('/', '_').replace(':', '_')}.tar"


def build(settings: Settings, image: Image) -> Path:
    """Build an image with buildah unless its inputs are unchanged; return its archive.

    Raises Missing without buildah or mmdebstrap, ClusterError with the build's last words.
    """
    archive = archive_path(settings, image.name)
    mark = archive.with_suffix(".inputs")
    base = _base(settings)
    inputs = f"{base.name} {input_digest(settings.hack.parent, image)}"
    if archive.exists() and mark.exists() and mark.read_text() == inputs:
        say(f"{image.name} is up to date")
        return archive
    say(f"{image.name}: building …")
    mark.unlink(missing_ok=True)
    # What a build that was interrupted has left mounted: one builds at a time.
    _buildah(settings, ["rm", "--all"], check=False)
    _import_base(settings, base)
    context = settings.hack.parent / image.context
    command = ["bud", "--isolation=chroot", "--network=host", "--layers", "--tag", image.name]
    command += [f"--build-arg=BASE_IMAGE=localhost/{base.stem}", *_index_options()]
    _buildah(settings, [*command, str(context)])
    partial = archive.with_suffix(".part")
    partial.unlink(missing_ok=True)
    _buildah(settings, ["push", image.name, f"docker-archive:{partial}:{image.name}"])
    partial.rename(archive)
    mark.write_text(inputs)
    return archive


def build_with_docker(settings: Settings, image: Image, registry: str) -> str:
    """Build an image with docker, which keeps its own cache; return its name."""
    name = f"{registry.rstrip('/')}/{image.name}" if registry else image.name
    context = settings.hack.parent / image.context
    # Not captured: docker shows its progress.
    file = (context / image.dockerfile).resolve()
    run_shown(["docker", "build", "--tag", name, "--file", str(file), str(context)])
    return name


def build_minio(settings: Settings) -> Path:
    """The archive of the MinIO image, from its pinned module."""
    return static_archive(settings, MINIO_IMAGE)


def push(settings: Settings, archive: Path, name: str) -> None:
    """Push a built archive to a registry under `name`."""
    _buildah(settings, ["push", f"docker-archive:{archive}", f"docker://{name}"])


def input_digest(root: Path, image: Image) -> str:
    """One hash over names, modes and contents of all that goes into an image."""
    digest = hashlib.sha256()
    for file in _files(root, image.inputs):
        executable = bool(file.stat().st_mode & 0o100)
        digest.update(f"{file.relative_to(root)} {executable}\0".encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()


def run_shown(command: list[str]) -> None:
    """Run a program whose output the person should see. Raises ClusterError when it fails."""
    done = subprocess.run(command, check=False)
    if done.returncode != 0:
        raise ClusterError(f"`{' '.join(command[:3])} …` ended with {done.returncode}")


def _files(root: Path, inputs: tuple[str, ...]) -> Iterator[Path]:
    for name in sorted(inputs):
        path = root / name
        if path.is_file():
            yield path
            continue
        for file in sorted(path.rglob("*")):
            if file.is_file() and "__pycache__" not in file.parts:
                yield file


def _base(settings: Settings) -> Path:
    """The base image's root file system as a tar, made once per release and package list."""
    release = _release()
    recipe = hashlib.sha256(f"{release} {BASE_PACKAGES} {LEFT_OUT}".encode()).hexdigest()[:12]
    target = settings.cache / "images" / f"base-{recipe}.tar"
    if target.exists():
        return target
    if shutil.which("mmdebstrap") is None:
        raise Missing("mmdebstrap is missing; run `make setup`, or install it")
    say("base image: installing Debian and Python into a folder (about 2 min, once) …")
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_suffix(".part.tar")
    command = ["mmdebstrap", "--variant=apt", f"--include={BASE_PACKAGES}", "--quiet"]
    command += [f"--dpkgopt=path-exclude={path}" for path in LEFT_OUT]
    # The machine's own package sources, so that no mirror is named here.
    sources = [str(path) for path in _package_sources()]
    run([*command, release, partial, *sources])
    partial.rename(target)
    return target


def _release() -> str:
    for line in Path("/etc/os-release").read_text().splitlines():
        if line.startswith("VERSION_CODENAME="):
            return line.split("=", 1)[1].strip('"')
    raise Missing("/etc/os-release names no release; without docker images need Debian")


def _package_sources() -> list[Path]:
    listed = Path("/etc/apt/sources.list")
    folder = Path("/etc/apt/sources.list.d")
    found = [listed] if listed.exists() and listed.stat().st_size else []
    return [*found, *sorted(folder.glob("debian.sources")), *sorted(folder.glob("debian.list"))]


def _import_base(settings: Settings, base: Path) -> None:
    if _buildah(settings, ["images", "--quiet", base.stem], check=False).strip():
        return
    container = _buildah(settings, ["from", "scratch"]).strip()
    try:
        _buildah(settings, ["add", container, str(base), "/"])
        _buildah(settings, ["commit", container, base.stem])
    finally:
        _buildah(settings, ["rm", container], check=False)


def _index_options() -> list[str]:
    """Let the build reach the package index as this machine does."""
    environment = child_environment()
    options = [
        f"--build-arg={name}={environment[name]}" for name in INDEX_SETTINGS if name in environment
    ]
    for name in CA_BUNDLES:
        if bundle := environment.get(name):
            inside = "/run/host-ca.pem"
            mount = f"--volume={bundle}:{inside}:ro"
            return [*options, mount, f"--build-arg=PIP_CERT={inside}"]
    return options


def _buildah(settings: Settings, words: list[str], *, check: bool = True) -> str:
    if shutil.which("buildah") is None:
        raise Missing("buildah is missing; run `make setup`, or install it or docker")
    store = settings.cache / "buildah"
    kept = ["--root", str(store / "root"), "--runroot", str(store / "run")]
    environment = child_environment(STORAGE_DRIVER="overlay", BUILDAH_FORMAT="docker")
    return run(["buildah", *kept, *words], check=check, environment=environment).stdout
