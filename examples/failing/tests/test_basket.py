"""The basket's promises; one of them it breaks, and `total` is the place to look."""

from basket import Basket


def test_an_empty_basket_costs_nothing() -> None:
    assert Basket().total() == 0


def test_of_three_equal_things_two_are_paid() -> None:
    basket = Basket()
    basket.add(250, count=3)
    assert basket.total() == 500


def test_a_single_thing_is_paid() -> None:
    basket = Basket()
    basket.add(250)
    assert basket.total() == 250
