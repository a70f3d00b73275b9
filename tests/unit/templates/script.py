"""The script of template `test`, run as a job runs it, for the tests beside it."""

import os
import subprocess
import sys
from pathlib import Path

from kit.testscript import SCRIPT

PROGRAM = SCRIPT.partition("<<'PYTHON'\n")[2].partition("\nPYTHON\n")[0] + "\n"


class Workspace:
    """A project's folder with a home beside it, as in a job's Pod."""

    def __init__(self, parent: Path) -> None:
        self.folder, self.home = parent / "workspace", parent / "home"
        self.folder.mkdir()
        self.home.mkdir()

    def write(self, files: dict[str, str]) -> None:
        """Write the files of the project."""
        for name, content in files.items():
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content)

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """Start the script by `sh -eu` with nothing of this process's environment."""
        given = {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}/usr/bin{os.pathsep}/bin",
            "HOME": str(self.home),
            "TMPDIR": str(self.home),
            "PIP_CONFIG_FILE": os.devnull,
            # Of this environment's plug-ins only those that a test names: all cost a second.
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        }
        return subprocess.Popen(
            ["/bin/sh", "-euc", SCRIPT, "sh", *arguments],
            env=given | environment,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, **environment: str) -> tuple[int, str, str]:
        """Run the script; its exit code, stdout and stderr."""
        with self.start(*arguments, **environment) as process:
            output, errors = process.communicate(timeout=60)
            return process.returncode, output, errors
