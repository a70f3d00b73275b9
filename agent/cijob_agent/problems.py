"""What cannot be kept, in words for the job's owner: the first are told, the others counted.

Used by `collecting` and what it calls. A workspace can have a hundred thousand such things, and
thirty artifacts can each come across all of them.
"""

MOST = 20
MOST_OF_ONE = 5  # of what is one thing to the reader: the others have problems, too
LETTERS = 300  # of each


class Problems:
    """Problems in the order in which they came."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.count = 0

    def add(self, words: str) -> None:
        """One more."""
        self.count += 1
        if len(self.told) < MOST:
            self.told.append(words[:LETTERS])

    def add_all(self, what: str, others: "Problems") -> None:
        """Those of one thing, which is named."""
        told = others.told[:MOST_OF_ONE]
        for words in told:
            self.add(f"{what}: {words}")
        self.count += others.count - len(told)

    def has(self, words: str) -> bool:
        """Whether these words are told."""
        return words[:LETTERS] in self.told

    def __str__(self) -> str:
        """All as one text, of bounded length; empty if there is none."""
        more = self.count - len(self.told)
        return "; ".join([*self.told, *([f"and {more} more"] if more else [])])
