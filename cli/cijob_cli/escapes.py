"""Takes out of a log what could do more to a terminal than colour it. Pure.

A log is written by whoever wrote the code of the job, and shown on the screen of whoever looks:
escape sequences can set the window's title, fill the clipboard or make the terminal type. The rule
is the same on a terminal and in a pipe, so that what is seen is what is stored; `--raw` leaves all
bytes as they are.

Kept: text, tab, newline, carriage return, backspace, bell, and SGR sequences (colours).
Gone: every other escape sequence, other control characters, and C1 controls.
"""

import re

_DANGEROUS = re.compile(r"[\x00-\x06\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_SEQUENCES = re.compile(
    r"""
    (?P<colour>\x1b\[[0-9;:]*m)
    | \x1b\[[0-?]*[ -/]*[@-~]            # CSI: cursor, erasing, modes
    | \x1b\][^\x07\x1b]*(?:\x07|\x1b\\)  # OSC: title, clipboard, links
    | \x1b[PX^_][^\x1b]*\x1b\\           # DCS, SOS, PM, APC
    | \x1b[ -/]*[0-~]                    # two characters and charsets
    | [\x00-\x06\x0b\x0c\x0e-\x1f\x7f-\x9f]
    """,
    re.VERBOSE,
)


def without_escapes(text: str) -> str:
    """The text with colours as its only escape sequences; what is left of a broken one is text."""
    if not _DANGEROUS.search(text):
        return text
    return _SEQUENCES.sub(lambda found: found["colour"] or "", text)
