"""A shopping basket; prices are in cents."""


class Basket:
    """What is in the basket, and what it costs."""

    def __init__(self) -> None:
        self.prices: list = []

    def add(self, price: int, count: int = 1) -> None:
        """Put some of one thing into the basket."""
        self.prices += [price] * count

    def total(self) -> int:
        """The price of all; every third thing is free."""
        paid = [price for place, price in enumerate(self.prices) if place % 3]
        return sum(paid)
