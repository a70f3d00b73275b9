import os
import socket
from pathlib import Path

import pytest

from cijob_cli.errors import SourceRefused
from cijob_cli.explaining import largest_parts, secrets_warning, too_large
from cijob_cli.tree import read_tree
from unit.cijob_cli.trees import commit_all, git, repository, write

pytestmark = pytest.mark.process


def paths(root: Path) -> list[str]:
    return [entry.path for entry in read_tree(root).entries]


def test_in_a_work_tree_tracked_and_new_files_are_the_source(tmp_path: Path) -> None:
    root = repository(tmp_path)
    write(root, "tracked.py", "deleted.py", "changed.py")
    commit_all(root)
    write(root, "new.py", "build/out.o", "a/deep/file.py")
    (root / ".gitignore").write_text("build/\n")
    (root / "deleted.py").unlink()
    assert paths(root) == [".gitignore", "a/deep/file.py", "changed.py", "new.py", "tracked.py"]


def test_a_subdirectory_of_a_work_tree_is_a_source_of_its_own(tmp_path: Path) -> None:
    root = repository(tmp_path)
    write(root, "top.py", "sub/.gitkeep", "sub/in.py", "sub/deeper/x.log")
    (root / ".gitignore").write_text("*.log\n")
    assert paths(root / "sub") == [".gitkeep", "in.py"]


def test_files_of_submodules_and_inner_repositories_are_taken(tmp_path: Path) -> None:
    library = repository(tmp_path / "library")
    write(library, "lib.py")
    commit_all(library)
    root = repository(tmp_path / "root")
    write(root, "main.py")
    git(root, "-c", "protocol.file.allow=always", "submodule", "add", str(library), "vendored")
    commit_all(root)
    write(repository(root / "inner"), "inside.py")
    assert paths(root) == [".gitmodules", "inner/inside.py", "main.py", "vendored/lib.py"]


def test_a_submodule_that_is_not_checked_out_is_an_empty_folder(tmp_path: Path) -> None:
    library = repository(tmp_path / "library")
    write(library, "lib.py")
    commit_all(library)
    root = repository(tmp_path / "root")
    write(root, "main.py")
    git(root, "-c", "protocol.file.allow=always", "submodule", "add", str(library), "vendored")
    commit_all(root)
    git(root, "submodule", "deinit", "--force", "vendored")
    assert paths(root) == [".gitmodules", "main.py", "vendored"]


def test_names_are_taken_as_they_are(tmp_path: Path) -> None:
    root = repository(tmp_path)
    write(root, "with space.py", "grün/日本.py", 'quo"te.py', "new\nline.py")
    assert sorted(paths(root)) == sorted(
        ["with space.py", "grün/日本.py", 'quo"te.py', "new\nline.py"]
    )


def test_a_directory_that_git_ignores_as_a_whole_is_taken_as_a_plain_one(tmp_path: Path) -> None:
    root = repository(tmp_path)
    (root / ".gitignore").write_text("build/\n")
    write(root, "build/generated.py")
    assert paths(root / "build") == ["generated.py"]


def test_a_git_hook_submits_the_directory_it_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(repository(tmp_path / "hooked"), "wrong.py")
    write(repository(tmp_path / "root"), "right.py")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "hooked/.git"))
    assert paths(tmp_path / "root") == ["right.py"]


def test_elsewhere_gitignore_files_are_read_the_deepest_first(tmp_path: Path) -> None:
    write(
        tmp_path, "keep.py", "a.log", "sub/b.log", "sub/c.log", "out/x", "sub/out/y", "deep/a/b/z"
    )
    (tmp_path / ".gitignore").write_text("*.log\n/out/\n")
    (tmp_path / "sub/.gitignore").write_text("!b.log\n")
    assert paths(tmp_path) == [
        ".gitignore", "deep/a/b/z", "keep.py", "sub/.gitignore", "sub/b.log", "sub/out/y"
    ]  # fmt: skip


@pytest.mark.parametrize("in_git", [True, False])
def test_ciignore_takes_out_more_and_back_in_what_git_ignores(tmp_path: Path, in_git: bool) -> None:  # noqa: FBT001
    root = repository(tmp_path) if in_git else tmp_path
    write(root, "main.py", "docs/big.pdf", "gen/needed.py", "gen/other.py", "deep/gen/x.bin")
    (root / ".gitignore").write_text("gen/\n")
    (root / ".ciignore").write_text("docs/\n!gen/needed.py\n")
    assert paths(root) == [".ciignore", ".gitignore", "gen/needed.py", "main.py"]


@pytest.mark.parametrize("in_git", [True, False])
def test_git_itself_is_never_in_the_source(tmp_path: Path, in_git: bool) -> None:  # noqa: FBT001
    root = repository(tmp_path) if in_git else tmp_path
    write(root, "main.py", "sub/.git/config" if not in_git else "other.py")
    (root / ".ciignore").write_text("!.git\n!.git/**\n")
    assert not any(".git" in path.split("/") for path in paths(root))


def test_empty_folders_are_kept_outside_of_git(tmp_path: Path) -> None:
    write(tmp_path, "main.py")
    (tmp_path / "empty/inner").mkdir(parents=True)
    assert paths(tmp_path) == ["empty/inner", "main.py"]


@pytest.mark.parametrize("in_git", [True, False])
def test_a_loop_of_links_is_kept_and_never_walked(tmp_path: Path, in_git: bool) -> None:  # noqa: FBT001
    root = repository(tmp_path) if in_git else tmp_path
    write(root, "sub/main.py")
    (root / "sub/loop").symlink_to("..")
    (root / "self").symlink_to("self")
    (root / "dangling").symlink_to("sub/nothing")
    found = {entry.path: entry.target for entry in read_tree(root).entries}
    assert found == {"dangling": "sub/nothing", "self": "self", "sub/loop": "..", "sub/main.py": ""}


def test_a_folder_that_became_a_link_is_the_link_alone(tmp_path: Path) -> None:
    root = repository(tmp_path)
    write(root, "old/file.py", "new/file.py")
    commit_all(root)
    (root / "old/file.py").unlink()
    (root / "old").rmdir()
    (root / "old").symlink_to("new")
    assert paths(root) == ["new/file.py", "old"]


@pytest.mark.parametrize("target", ["/etc/passwd", "../outside", "sub/../../outside"])
def test_a_link_out_of_the_source_is_refused_by_name(tmp_path: Path, target: str) -> None:
    write(tmp_path, "main.py")
    (tmp_path / "link").symlink_to(target)
    with pytest.raises(SourceRefused, match=r"^link is a link out .*\.ciignore$"):
        read_tree(tmp_path)
    (tmp_path / ".ciignore").write_text("link\n")
    assert paths(tmp_path) == [".ciignore", "main.py"]


def test_pipes_and_sockets_are_left_out_and_said(tmp_path: Path) -> None:
    write(tmp_path, "main.py")
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        before = Path.cwd()
        os.chdir(tmp_path)  # a socket's path has 108 bytes at most
        listener.bind("socket")
        os.chdir(before)
        tree = read_tree(tmp_path)
    assert [entry.path for entry in tree.entries] == ["main.py"]
    assert [warning.split()[0] for warning in tree.warnings] == ["pipe", "socket"]


@pytest.mark.parametrize(
    ("names", "words"),
    [
        ([b"bad\xff.py"], r"bad\xff.py: a name that is not UTF-8"),
        ([b"back\\slash.py"], "with a backslash"),
        ([b"Read.me", b"read.me"], "Read.me and read.me differ in case only"),
    ],
)
def test_names_that_cannot_be_unpacked_everywhere_are_refused(
    tmp_path: Path, names: list[bytes], words: str
) -> None:
    for name in names:
        (tmp_path / os.fsdecode(name)).write_text("")
    with pytest.raises(SourceRefused) as refused:
        read_tree(tmp_path)
    assert words in str(refused.value)


def test_an_empty_tree_is_explained(tmp_path: Path) -> None:
    write(tmp_path, "ignored.log")
    (tmp_path / ".ciignore").write_text("*\n")
    with pytest.raises(SourceRefused, match=r"all of its 2 items are ignored"):
        read_tree(tmp_path)


def test_a_work_tree_that_git_cannot_read_is_said(tmp_path: Path) -> None:
    (tmp_path / ".git").write_text("gitdir: nowhere\n")
    write(tmp_path, "main.py")
    tree = read_tree(tmp_path)
    assert [entry.path for entry in tree.entries] == ["main.py"]
    assert "git could not list the files" in tree.warnings[0]


def test_what_looks_like_a_secret_is_named(tmp_path: Path) -> None:
    write(
        tmp_path, ".env", "deploy/ID_RSA", "cert.pem", ".env.example", "environment.py", "keys.py"
    )
    warning = secrets_warning(read_tree(tmp_path)) or ""
    assert warning.startswith(
        "3 files in the source may hold secrets: .env, cert.pem, deploy/ID_RSA;"
    )


def test_too_large_says_where_the_size_is(tmp_path: Path) -> None:
    write(tmp_path, "small.py")
    (tmp_path / "data").mkdir()
    (tmp_path / "data/a").write_bytes(bytes(3 << 20))
    tree = read_tree(tmp_path)
    assert largest_parts(tree)[:2] == [("data/", 3 << 20), ("data/a", 3 << 20)]
    assert "largest before packing: data/ 3.0 MiB, data/a 3.0 MiB, small.py 8 B" in too_large(
        tree, 300 << 20, 200 << 20
    )
