"""The agent's last words, as the kubelet reads them."""

import json
from pathlib import Path

import pytest

from cijob_agent.termination import LIMIT, Termination


@pytest.mark.parametrize("message", ["x" * 9999, "é" * 9999, "\x00" * 9999, '"\\' * 9999, "\ud800"])
def test_any_message_fits_the_kubelet_s_limit(tmp_path: Path, message: str) -> None:
    file = tmp_path / "words"
    Termination(str(file)).fail("SourceRejected", message)
    assert file.stat().st_size <= LIMIT
    said = json.loads(file.read_text())
    assert said["message"]
    assert said["reason"] == "SourceRejected"


def test_shorter_words_leave_nothing_of_longer_ones(tmp_path: Path) -> None:
    file = tmp_path / "words"
    termination = Termination(str(file))
    termination.enter("fetch", "x" * 500)
    termination.enter("verify")
    assert json.loads(file.read_text()) == {"stage": "verify", "message": ""}


def test_no_place_for_last_words_is_no_failure(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Termination(str(tmp_path / "no" / "words")).enter("fetch", "3 files")
    assert "no termination message" in capsys.readouterr().err
