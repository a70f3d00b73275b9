"""The folder the source is unpacked to; called by `stages` with a checked plan.

Every step is taken from a folder's descriptor and follows no link, so nothing outside is written
even if the checks before had let something through.
"""

import os
import stat
from collections.abc import Iterable
from mmap import mmap

from cijob_agent.archives import Plan, unpacked_bytes

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def write(image: mmap, plan: Plan, path: str) -> None:
    """Make the workspace at `path` what the plan says, and nothing else.

    Raises SourceRejected when an entry's bytes are not what the archive promises.
    """
    workspace = Workspace(path)
    try:
        workspace.clear()
        for folder in plan.folders:
            workspace.add_folder(folder)
        for file in plan.files:
            executable = file.entry.mode & 0o111
            workspace.add_file(file.path, executable, unpacked_bytes(image, file))
        for link, target in plan.links.items():
            workspace.add_link(link, target)
    finally:
        workspace.close()


def clear(path: str) -> None:
    """Leave nothing in the workspace, of a try before or of an init container's first run."""
    workspace = Workspace(path)
    try:
        workspace.clear()
    finally:
        workspace.close()


def hand_over(made: str, workspace: str) -> None:
    """Move all that is in a folder to the workspace, on the same volume, in place of what is there.

    By names in open folders: nothing is followed, whatever the job has put into its workspace.
    """
    source, target = (os.open(path, _FOLDER) for path in (made, workspace))
    try:
        _clear(target)
        for name in os.listdir(source):  # noqa: PTH208  # of an open folder
            os.rename(name, name, src_dir_fd=source, dst_dir_fd=target)
    finally:
        os.close(source)
        os.close(target)


class Workspace:
    """An open folder. Paths are relative, with slashes, and already checked."""

    def __init__(self, path: str) -> None:
        # From the root to the folder used last, each by its name: entries come folder by folder.
        self._open = [("", os.open(path, _FOLDER))]

    def close(self) -> None:
        """Let go of every folder."""
        while self._open:
            os.close(self._open.pop()[1])

    def clear(self) -> None:
        """Remove all that is in it: the kubelet may run an init container twice."""
        _clear(self._open[0][1])

    def add_folder(self, path: str) -> None:
        """Make one folder; its parent is there."""
        parent, name = self._within(path)
        os.mkdir(name, 0o755, dir_fd=parent)

    def add_file(self, path: str, executable: int, pieces: Iterable[bytes]) -> None:
        """Write a new file; set-user-id and the like are not kept."""
        parent, name = self._within(path)
        file = os.open(name, _NEW, 0o755 if executable else 0o644, dir_fd=parent)
        try:
            for piece in pieces:
                rest = memoryview(piece)
                while rest:
                    rest = rest[os.write(file, rest) :]
        finally:
            os.close(file)

    def add_link(self, path: str, target: str) -> None:
        """Make a symbolic link; where it leads was checked."""
        parent, name = self._within(path)
        os.symlink(target.encode(), name, dir_fd=parent)

    def _within(self, path: str) -> tuple[int, bytes]:
        """The open parent folder of a path, and its last name as bytes.

        Bytes, since the file system's encoding depends on a locale that nobody set.
        """
        *folders, name = path.split("/")
        same = 0
        while same < len(folders) and same + 1 < len(self._open):
            if self._open[same + 1][0] != folders[same]:
                break
            same += 1
        while len(self._open) > same + 1:
            os.close(self._open.pop()[1])
        for folder in folders[same:]:
            inner = os.open(folder.encode(), _FOLDER, dir_fd=self._open[-1][1])
            self._open.append((folder, inner))
        return self._open[-1][1], name.encode()


def _clear(folder: int) -> None:
    for name in os.listdir(folder):
        if stat.S_ISDIR(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode):
            inner = os.open(name, _FOLDER, dir_fd=folder)
            try:
                _clear(inner)
            finally:
                os.close(inner)
            os.rmdir(name, dir_fd=folder)
        else:
            os.unlink(name, dir_fd=folder)
