"""The wrapper's FIFO, as the agent sees it."""

import os
import select
import threading
from pathlib import Path

import pytest

from cijob_agent.lifeline import Lifeline


def wrapper(folder: Path) -> int:
    """The FIFO as the wrapper opens it, with its line written."""
    fifo = os.open(folder / "alive", os.O_RDWR)
    os.write(fifo, b"\n")
    return fifo


def test_nobody_has_begun_until_the_wrapper_says_so(tmp_path: Path) -> None:
    lifeline = Lifeline(str(tmp_path))
    assert not lifeline.begun()
    held = wrapper(tmp_path)
    assert lifeline.begun(30)
    waiting = threading.Thread(target=lifeline.await_end)
    waiting.start()
    while select.select([held], [], [], 0)[0]:  # until its line is read
        assert waiting.is_alive()
    assert lifeline.begun()
    os.close(held)
    waiting.join(30)
    assert not waiting.is_alive()
    lifeline.close()


def test_a_wrapper_that_was_gone_before_anybody_looked_has_begun_and_ended(tmp_path: Path) -> None:
    lifeline = Lifeline(str(tmp_path))
    os.close(wrapper(tmp_path))
    assert lifeline.begun()
    lifeline.await_end()
    lifeline.close()


def test_a_wrapper_that_was_killed_before_its_line_has_ended_too(tmp_path: Path) -> None:
    lifeline = Lifeline(str(tmp_path))
    os.close(os.open(tmp_path / "alive", os.O_RDWR))
    assert lifeline.begun()
    lifeline.await_end()
    lifeline.close()


def test_what_lies_there_already_is_not_taken_for_the_fifo(tmp_path: Path) -> None:
    (tmp_path / "alive").symlink_to("/dev/zero")
    with pytest.raises(FileExistsError):
        Lifeline(str(tmp_path))
