"""Which URLs of git repositories are taken, and the words when one is not. Pure.

The schema refuses by these rules; the CLI asks first, so that a password is not even sent.
"""

import re
from typing import NamedTuple


class UrlRule(NamedTuple):
    """A pattern that a URL must, or must not, match from its beginning."""

    pattern: str  # as RE2 and Python both read it
    wanted: bool
    words: str

    def as_cel(self) -> str:
        """The same for the schema."""
        quoted = self.pattern.replace("\\", "\\\\")
        return f"{'' if self.wanted else '!'}self.matches('{quoted}')"


URL_RULES = (
    UrlRule(
        pattern=r"^(https|ssh)://([^/?#@\s]+@)?[A-Za-z0-9\[][^/?#@\s]*/[^?#\s]*$",
        wanted=True,
        words="must be an https:// or ssh:// URL of a repository, without a query",
    ),
    UrlRule(
        pattern="^[a-z]+://[^/?#]*:[^/?#]*@",
        wanted=False,
        words="must not hold a password: it would stand in the spec for all to read; "
        "put it into a Secret and name that in secretName",
    ),
    UrlRule(
        pattern="^https://[^/?#]*@",
        wanted=False,
        words="must not hold a user or token; put it into a Secret and name that in secretName",
    ),
)


def fault(url: str) -> str | None:
    """What is wrong with a URL, in the schema's words; a password before anything else."""
    for rule in sorted(URL_RULES, key=lambda rule: rule.wanted):
        if bool(re.search(rule.pattern, url)) is not rule.wanted:
            return rule.words
    return None
