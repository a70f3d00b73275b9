"""kind's words in, the right call out; errors are one line and exit code 1."""

from pathlib import Path

import pytest

from localcluster import command_line
from localcluster.errors import Refused


@pytest.mark.parametrize(
    ("duration", "seconds"),
    [("90s", 90), ("1m30s", 90), ("0s", 0), ("1.5h", 5400), ("250ms", 0.25)],
)
def test_durations_are_gos(duration: str, seconds: float) -> None:
    assert command_line.seconds(duration) == seconds


@pytest.mark.parametrize("duration", ["", "90", "s", "1m 30s", "ten"])
def test_other_durations_are_refused(duration: str) -> None:
    with pytest.raises(Refused, match="write it like 90s or 1m30s"):
        command_line.seconds(duration)


@pytest.mark.parametrize("words", [["--config=x"], ["--image=x"], ["--name=UPPER"]])
def test_what_the_local_cluster_cannot_do_is_refused(
    words: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("localcluster.handover.real_kind", lambda: None)
    assert command_line.main(["create", "cluster", *words]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("ERROR: ")
    assert printed.err.count("\n") == 1


def test_an_unknown_cluster_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr("localcluster.handover.real_kind", lambda: None)
    monkeypatch.setattr("localcluster.cluster.names", lambda settings: [])
    assert command_line.main(["get", "kubeconfig", "--name=nope"]) == 1
    assert "no cluster 'nope' is running" in capsys.readouterr().err
