"""Words about a tree: files that look like secrets, and where its size comes from. Pure."""

from collections import Counter
from fnmatch import fnmatchcase

from cijob_cli.tree import Tree
from cijob_cli.units import counted, format_bytes

_SECRET_NAMES = (
    ".env",
    ".env.*",
    "*.pem",
    "*.key",
    "*.p12",
    "*.pfx",
    "*.jks",
    "*.kdbx",
    "id_rsa",
    "id_dsa",
    "id_ecdsa",
    "id_ed25519",
    ".npmrc",
    ".pypirc",
    ".netrc",
    ".git-credentials",
    ".htpasswd",
    "kubeconfig",
    "credentials*.json",
    "service-account*.json",
    "client_secret*.json",
)
_SAMPLES = (".env.example", ".env.sample", ".env.template", ".env.dist")
_SHOWN = 5


def secrets_warning(tree: Tree) -> str | None:
    """A warning that names the files that look like secrets, if there are any."""
    found = [entry.path for entry in tree.entries if _looks_secret(entry.path)]
    if not found:
        return None
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return (
        f"{counted(len(found), 'file')} in the source may hold secrets: "
        f"{', '.join(found[:_SHOWN])}{more}; add to .ciignore what the job does not need"
    )


def too_large(tree: Tree, size: int, limit: int) -> str:
    """Why an archive is too large, and what to leave out."""
    largest = ", ".join(f"{name} {format_bytes(held)}" for name, held in largest_parts(tree))
    return (
        f"the source is {format_bytes(size)} packed, the limit is {format_bytes(limit)}; "
        f"largest before packing: {largest}; add build outputs to .ciignore"
    )


def largest_parts(tree: Tree) -> list[tuple[str, int]]:
    """The largest folders of the top and the largest files, with their sizes in bytes."""
    folders: Counter[str] = Counter()
    files: Counter[str] = Counter()
    for entry in tree.entries:
        first, slash, _ = entry.path.partition("/")
        if slash:
            folders[first + slash] += entry.size
        files[entry.path] = entry.size
    return [*folders.most_common(_SHOWN), *files.most_common(_SHOWN)]


def _looks_secret(path: str) -> bool:
    name = path.rpartition("/")[2].lower()
    return name not in _SAMPLES and any(fnmatchcase(name, pattern) for pattern in _SECRET_NAMES)
