"""Which URLs of git repositories are taken, and which refs, and the words when one is not. Pure.

The schema refuses by these rules; the CLI asks first, so that a password is not even sent.
"""

import re
from typing import NamedTuple


class TextRule(NamedTuple):
    """A pattern that a text must, or must not, match."""

    pattern: str  # as RE2 and Python both read it
    wanted: bool
    words: str

    def as_cel(self) -> str:
        """The same for the schema."""
        quoted = self.pattern.replace("\\", "\\\\")
        return f"{'' if self.wanted else '!'}self.matches('{quoted}')"


URL_RULES = (
    TextRule(
        pattern=r"^(https|ssh)://([^-/?#@\s][^/?#@\s]*@)?[A-Za-z0-9\[][^/?#@\s]*/[^?#\s]*$",
        wanted=True,
        words="must be an https:// or ssh:// URL of a repository, without a query",
    ),
    TextRule(
        pattern="^[a-z]+://[^/?#]*:[^/?#]*@",
        wanted=False,
        words="must not hold a password: it would stand in the spec for all to read; "
        "put it into a Secret and name that in secretName",
    ),
    TextRule(
        pattern="^https://[^/?#]*@",
        wanted=False,
        words="must not hold a user or token; put it into a Secret and name that in secretName",
    ),
)


# What git could take for an option, for two refs, or for more than a name:
# https://git-scm.com/docs/git-check-ref-format
REF_RULE = TextRule(
    pattern=r"^[-+/]|[\x00-\x20\x7f~^:?*\[\\]|\.\.|@\{|//|\.$|/$|\.lock$",
    wanted=False,
    words="must be the name of a branch or tag, or a commit",
)


def fault(url: str) -> str | None:
    """What is wrong with a URL, in the schema's words; a password before anything else."""
    for rule in sorted(URL_RULES, key=lambda rule: rule.wanted):
        # RE2's `$` is the end of the text; Python's is also before a newline there.
        pattern = re.sub(r"\$$", r"\\Z", rule.pattern)
        if bool(re.search(pattern, url)) is not rule.wanted:
            return rule.words
    return None
