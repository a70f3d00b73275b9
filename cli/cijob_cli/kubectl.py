"""The user's own kubectl: it knows every way to log in. Called by connecting and its parts."""

import json
import shutil
import subprocess
from dataclasses import dataclass
from typing import Any

from cijob_cli.errors import NotAllowed, Unreachable
from cijob_cli.settings import Settings

_SECONDS = 20.0


@dataclass(frozen=True)
class Kubectl:
    """The program and the flags that choose cluster and user."""

    program: str
    flags: tuple[str, ...] = ()

    def command(self, *arguments: str) -> list[str]:
        """A whole command line."""
        return [self.program, *self.flags, *arguments]

    def ask(self, *arguments: str) -> Any:
        """Run it and read the JSON it prints. Raises NotAllowed or Unreachable with its words."""
        shown = "kubectl " + " ".join(arguments)
        try:
            done = subprocess.run(
                self.command(*arguments, "-o", "json"),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=_SECONDS,
                check=False,
                start_new_session=True,  # Ctrl-C is for us
            )
        except subprocess.TimeoutExpired as error:
            raise Unreachable(f"`{shown}` did not answer within {_SECONDS:.0f} s") from error
        except OSError as error:
            raise Unreachable(f"{self.program} cannot be run: {error.strerror}") from error
        if done.returncode != 0:
            raise _failed(shown, done.stderr)
        return json.loads(done.stdout)


def find_kubectl(settings: Settings) -> Kubectl:
    """The kubectl on PATH. Raises Unreachable where there is none."""
    program = shutil.which("kubectl")
    if program is None:
        raise Unreachable(
            "no kubectl on PATH, which finds the gateway in your cluster; install it, or name the "
            "gateway: ci config set gateway URL"
        )
    flags = [f"--context={settings.context}"] if settings.context else []
    if settings.kubeconfig:
        flags.append(f"--kubeconfig={settings.kubeconfig}")
    return Kubectl(program, tuple(flags))


def _failed(shown: str, words: str) -> Unreachable | NotAllowed:
    last = words.strip().splitlines()[-1:] or ["no words"]
    message = f"`{shown}` failed: {last[0].removeprefix('error: ')}"
    return NotAllowed(message) if "orbidden" in words else Unreachable(message)
