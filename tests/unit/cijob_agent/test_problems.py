"""The first problems are told, the others counted, and those of one thing leave room for others."""

from cijob_agent.problems import LETTERS, MOST, MOST_OF_ONE, Problems


def of(*words: str) -> Problems:
    problems = Problems()
    for one in words:
        problems.add(one)
    return problems


def test_none_is_no_text() -> None:
    assert (str(of()), of().count) == ("", 0)


def test_a_few_are_all_told_in_their_order() -> None:
    assert str(of("b", "a")) == "b; a"


def test_of_many_the_first_are_told_and_kept() -> None:
    many = of(*["words"] * 1000)
    assert many.told == ["words"] * MOST
    assert str(many).endswith("; words; and 980 more")


def test_long_words_are_cut() -> None:
    long = of("x" * 1000)
    assert str(long) == "x" * LETTERS
    assert long.has("x" * 1000)
    assert not long.has("x")


def test_those_of_one_thing_are_named_and_leave_room() -> None:
    problems = of("first")
    problems.add_all("artifact a", of(*["words"] * 1000))
    problems.add("last")
    assert problems.told == ["first", *["artifact a: words"] * MOST_OF_ONE, "last"]
    assert problems.count == 1002
    assert str(problems).endswith("; last; and 995 more")
