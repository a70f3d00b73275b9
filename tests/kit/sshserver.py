"""A real sshd on the loopback, for clones over ssh.

It runs in a mount namespace of its own, with users and a `/run` of its own, so that it needs no
installed service and leaves nothing behind; that takes root. `hack/setup` brings the program.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from kit.cluster import ROOT
from kit.servers import free_port

UNPACKED = ROOT / ".local" / "openssh"
USERS = """\
root:*:0:0::/root:/bin/sh
git:*:0:0::/tmp:/bin/sh
sshd:*:100:65534::/run/sshd:/usr/sbin/nologin
"""
START = """
mount -t tmpfs none /run && mkdir /run/sshd && mount --bind "$1" /etc/passwd
shift
exec "$@"
"""


def program() -> Path | None:
    """The sshd of this machine or checkout, if there is one that can be run so."""
    found = shutil.which("sshd", path="/usr/sbin:/usr/local/sbin")
    places = [Path(found)] if found else []
    places.append(UNPACKED / "usr" / "sbin" / "sshd")
    return next((path for path in places if path.exists() and os.geteuid() == 0), None)


def make_key(folder: Path, name: str) -> Path:
    """A private key; the public one lies beside it."""
    path = folder / name
    words = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", name, "-f", str(path)]
    subprocess.run(words, check=True)
    return path


@dataclass(frozen=True)
class SshServer:
    """A running sshd: where it is, its key and the key that it lets in."""

    port: int
    host_key: Path
    user_key: Path

    def url(self, folder: Path) -> str:
        """A repository on it."""
        return f"ssh://git@127.0.0.1:{self.port}{folder}"

    def known_hosts(self, key: Path | None = None) -> str:
        """The line for known_hosts."""
        public = (key or self.host_key).with_suffix(".pub").read_text()
        return f"[127.0.0.1]:{self.port} {public}"


@contextmanager
def serving(folder: Path, sshd: Path) -> Iterator[SshServer]:
    """An sshd, from here to the end of the block."""
    server = SshServer(free_port(), make_key(folder, "host"), make_key(folder, "user"))
    (folder / "passwd").write_text(USERS)
    options = {
        "AuthorizedKeysFile": f"{server.user_key}.pub",
        "ListenAddress": "127.0.0.1",
        "PasswordAuthentication": "no",
        "KbdInteractiveAuthentication": "no",
        "PidFile": "none",
        "StrictModes": "no",
        "PermitRootLogin": "yes",
        # The repositories are another user's for it.
        "SetEnv": "GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0=*",
    }
    words = [str(sshd), "-D", "-e", "-f", "/dev/null", "-p", str(server.port)]
    words += ["-h", str(server.host_key)]
    words += [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
    libraries = ":".join(str(path) for path in UNPACKED.glob("usr/lib/*"))
    process = subprocess.Popen(
        ["unshare", "--mount", "sh", "-euc", START, "sh", str(folder / "passwd"), *words],
        env={**os.environ, "LD_LIBRARY_PATH": libraries},
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    try:
        for line in process.stderr:
            if "Server listening" in line:
                break
        else:
            raise AssertionError(f"sshd ended with {process.wait()}")
        yield server
    finally:
        process.terminate()
        process.wait()
        process.stderr.close()
