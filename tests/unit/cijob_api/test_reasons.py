"""Reasons: one list, whole, and the page that is made of it."""

import re

import pytest

from cijob_api.reasons import FINAL, MEANINGS, Budget, Phase, Reason, reasons_markdown


def test_every_reason_has_a_meaning() -> None:
    assert set(MEANINGS) == set(Reason)


@pytest.mark.parametrize("reason", Reason)
def test_a_reason_is_one_word_explained_in_sentences(reason: Reason) -> None:
    meaning = MEANINGS[reason]
    assert re.fullmatch(r"([A-Z]+[a-z]*)+", reason)
    assert meaning.means.endswith(".")
    assert meaning.do.endswith(".")


def test_the_page_has_every_reason_once_in_order() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", reasons_markdown(), re.MULTILINE)
    assert rows == [str(reason) for reason in MEANINGS]


def test_every_row_of_the_page_has_five_cells() -> None:
    table = [line for line in reasons_markdown().splitlines() if line.startswith("|")]
    assert {line.count("|") for line in table} == {6}


@pytest.mark.parametrize(
    ("budget", "phase"), [(Budget.OWN, Phase.FAILED), (Budget.INFRASTRUCTURE, Phase.ERROR)]
)
def test_a_budget_repeats_endings_of_one_phase_only(budget: Budget, phase: Phase) -> None:
    assert {meaning.phase for meaning in MEANINGS.values() if meaning.budget == budget} == {phase}


def test_only_what_ended_is_tried_again() -> None:
    again = [meaning for meaning in MEANINGS.values() if meaning.budget != Budget.NONE]
    assert all(meaning.phase.is_final for meaning in again)


def test_every_phase_has_a_reason() -> None:
    assert {meaning.phase for meaning in MEANINGS.values()} == set(Phase)


def test_four_phases_are_final() -> None:
    assert {"Succeeded", "Failed", "Error", "Cancelled"} == FINAL
    assert [phase for phase in Phase if not phase.is_final] == ["Queued", "Starting", "Running"]
