"""What is found in a workspace, hostile ones among them: nothing outside, no hang, bounded work."""

import contextlib
import os
import resource
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from cijob_agent import walking
from cijob_agent.walking import FILE, FOLDER, LINK, MOST_DEPTH, Missing, TooMany, Walk, opened_file

SECRET = "not-a-real-token"


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "token").write_text(SECRET)
    inside = tmp_path / "workspace"
    inside.mkdir()
    return inside


@pytest.fixture
def root(workspace: Path) -> Iterator[int]:
    file = os.open(workspace, os.O_RDONLY | os.O_DIRECTORY)
    yield file
    os.close(file)


def nothing() -> None:
    """There is time."""


def put(workspace: Path, *paths: str) -> None:
    for path in paths:
        (workspace / path).parent.mkdir(parents=True, exist_ok=True)
        (workspace / path).write_text(path)


def found(root: int, pattern: str, most: int = 1000) -> list[tuple[str, str]]:
    return [(entry.kind, entry.path) for entry in Walk(root, nothing, most).find(pattern)]


def test_a_file_a_folder_and_a_glob(workspace: Path, root: int) -> None:
    put(workspace, "dist/b.whl", "dist/a.whl", "dist/deep/c", "other")
    assert found(root, "dist/a.whl") == [(FILE, "dist/a.whl")]
    everything = [
        (FOLDER, "dist"),
        (FILE, "dist/a.whl"),
        (FILE, "dist/b.whl"),
        (FOLDER, "dist/deep"),
        (FILE, "dist/deep/c"),
    ]
    assert found(root, "dist") == found(root, "./dist/") == found(root, "d*") == everything
    assert found(root, ".") == [*everything, (FILE, "other")]
    assert found(root, "**/*.whl") == [(FILE, "dist/a.whl"), (FILE, "dist/b.whl")]
    assert found(root, "*.txt") == []


def test_what_is_not_there_is_missing_by_name(root: int) -> None:
    with pytest.raises(Missing, match="there is no 'dist'"):
        found(root, "dist/a")


@pytest.mark.parametrize("path", ["../outside/token", "a/../../outside", "..", "*/../../x"])
def test_no_path_leads_out(root: int, path: str) -> None:
    with pytest.raises(Missing, match="leads out of the workspace"):
        found(root, path)


def test_no_link_is_followed(workspace: Path, root: int) -> None:
    (workspace / "out").symlink_to("../outside")
    (workspace / "token").symlink_to("../outside/token")
    (workspace / "proc").symlink_to("/proc/self")
    for path in ("out/token", "proc/environ"):
        with pytest.raises(Missing, match="cannot be read"):
            found(root, path)
    with pytest.raises(Missing, match="links are not followed"):
        found(root, "token")
    # Below a folder and by a glob a link is what it is: a link.
    links = [(LINK, "out"), (LINK, "proc"), (LINK, "token")]
    assert found(root, ".") == found(root, "*") == found(root, "**") == links
    assert found(root, "*/token") == []


@pytest.mark.parametrize("swapped", ["file", "folder"])
def test_what_is_swapped_for_a_link_meanwhile_is_not_read(
    workspace: Path, root: int, swapped: str
) -> None:
    put(workspace, "dist/token")
    (entry,) = Walk(root, nothing).find("dist/token")
    if swapped == "file":
        (workspace / "dist/token").unlink()
        (workspace / "dist/token").symlink_to("../../outside/token")
    else:
        (workspace / "dist").rename(workspace / "old")
        (workspace / "dist").symlink_to("../outside")
    with pytest.raises(Missing, match="cannot be read"), opened_file(root, entry.path):
        pass


@pytest.mark.process
def test_swapped_again_and_again_it_is_the_right_file_or_none(workspace: Path, root: int) -> None:
    put(workspace, "right/token")
    (workspace / "wrong").symlink_to("../outside")
    (workspace / "right").rename(workspace / "here")
    pid = os.fork()
    if pid == 0:  # the job, which goes on
        while True:
            (workspace / "here").rename(workspace / "right")
            (workspace / "wrong").rename(workspace / "here")
            (workspace / "here").rename(workspace / "wrong")
            (workspace / "right").rename(workspace / "here")
    read = set()
    try:
        for _ in range(3000):
            try:
                with opened_file(root, "here/token") as (file, size):
                    read.add(os.read(file, size))
            except Missing:
                pass
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
    assert read <= {b"right/token"}


def test_what_is_no_file_is_left_out_and_nobody_waits_for_it(workspace: Path, root: int) -> None:
    put(workspace, "file")
    os.mkfifo(workspace / "fifo")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(workspace / "socket"))
        walk = Walk(root, nothing)
        assert [entry.path for entry in walk.find(".")] == ["file"]
    assert walk.left_out.told == [
        "'fifo' is no file, folder or link",
        "'socket' is no file, folder or link",
    ]
    with pytest.raises(Missing, match="is no file"):
        found(root, "fifo")
    with pytest.raises(Missing, match="is no file any more"), opened_file(root, "fifo"):
        pass


@pytest.mark.skipif(os.getuid() != 0, reason="only root can make a device")
def test_a_device_is_left_out(workspace: Path, root: int) -> None:
    os.mknod(workspace / "zero", stat.S_IFCHR | 0o666, os.makedev(1, 5))
    with pytest.raises(Missing, match="is no file, folder or link"):
        found(root, "zero")


def test_names_may_be_any_bytes(workspace: Path, root: int) -> None:
    names = [b"two\nlines", b"\xff\xfe", b"..dots", b"-rf", "ä".encode()]
    for name in names:
        (Path(os.fsdecode(os.fsencode(workspace) + b"/" + name))).write_text("x")
    entries = Walk(root, nothing).find(".")
    assert [entry.path.encode("utf-8", "surrogateescape") for entry in entries] == sorted(names)
    for entry in entries:
        with opened_file(root, entry.path) as (_, size):
            assert size == 1


def test_too_many_files_end_the_look_after_so_many(workspace: Path, root: int) -> None:
    put(workspace, *[f"many/{number}" for number in range(60)])
    with pytest.raises(TooMany, match="more than 50 files"):
        found(root, ".", most=50)
    assert len(found(root, ".", most=61)) == 61


@pytest.mark.process
def test_time_may_run_out_in_a_large_folder(workspace: Path, root: int) -> None:
    put(workspace, *[f"{number}" for number in range(1000)])

    def tick() -> None:
        raise TimeoutError

    with pytest.raises(TimeoutError):
        Walk(root, tick).find("*")


@pytest.mark.parametrize("pattern", [".", "**/x", "a"])
def test_folders_without_end_are_left_at_some_depth(
    workspace: Path, root: int, pattern: str
) -> None:
    here = os.open(workspace, os.O_RDONLY)
    for _ in range(MOST_DEPTH + 20):
        os.mkdir("a", dir_fd=here)
        inner = os.open("a", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(here)
    walk = Walk(root, nothing)
    assert len(walk.find(pattern)) <= MOST_DEPTH
    assert walk.left_out.count == 1
    assert f"is over {MOST_DEPTH} folders deep" in walk.left_out.told[0]


def test_the_size_of_a_sparse_file_is_what_it_claims(workspace: Path, root: int) -> None:
    with (workspace / "huge").open("wb") as file:
        file.truncate(1 << 40)
    (entry,) = Walk(root, nothing).find("huge")
    assert entry.size == 1 << 40


def test_nothing_stays_open(workspace: Path, root: int) -> None:
    put(workspace, "a/b/c", "a/d")
    before = len(list(Path("/proc/self/fd").iterdir()))
    for pattern in ("a/b/c", "a", "**/c", "none", "a/b/c/d"):
        with contextlib.suppress(Missing):
            found(root, pattern)
    assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.mark.parametrize(
    ("name", "target"),
    [("n" * 100, "t" * 300), ("n" * 100 + "\N{PILE OF POO}", "")],
    ids=["what a link leads to", "as wide as one rare letter makes all"],
)
@pytest.mark.parametrize("pattern", [".", "*"])
def test_what_paths_take_in_memory_is_counted(
    workspace: Path, root: int, monkeypatch: pytest.MonkeyPatch, *, name: str, target: str,
    pattern: str,
) -> None:  # fmt: skip
    if target:
        (workspace / name).symlink_to(target)
    else:
        put(workspace, name)
    monkeypatch.setattr(walking, "MOST_PATH_BYTES", 400)
    with pytest.raises(TooMany, match="together; name fewer"):
        found(root, pattern)


@pytest.mark.process
def test_a_folder_that_cannot_be_listed_is_said(workspace: Path, root: int) -> None:
    put(workspace, "a")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    free = os.dup(root)
    os.close(free)
    resource.setrlimit(resource.RLIMIT_NOFILE, (free + 1, hard))
    try:
        with pytest.raises(Missing, match=r"'\.' cannot be read: Too many open files"):
            Walk(root, nothing).find("*")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
