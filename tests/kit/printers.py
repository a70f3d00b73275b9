"""Jobs that print numbered lines, and the account of what came of them.

Lines are made anew where they are compared: a log of 500 MB is nowhere in memory.
"""

import hashlib
from dataclasses import asdict, dataclass, field
from typing import Any

from kit.gates import GO

END = "/tmp/end"
NUMBER = 9
STEP = 1000
# It waits before its end: some runtimes lose the last bytes of one that ends behind a burst.
PROGRAM = """
import os, sys, time
out, filling = sys.stdout, "x" * {filling}
def write(start, stop):
    out.write("".join(f"{{n:09d}} {{filling}}\\n" for n in range(start, stop)))
    out.flush()
if {gated}:
    write(0, 1)
    while not os.path.exists("{go}"):
        time.sleep(0.02)
began = time.monotonic()
for start in range(int({gated}), {lines}, {step}):
    stop = min(start + {step}, {lines})
    write(start, stop)
    if os.path.exists("{end}"):
        break
    ahead = began + stop / {rate} - time.monotonic() if {rate} else 0
    if ahead > 0:
        time.sleep(ahead)
time.sleep(1)
"""


@dataclass(frozen=True)
class Printer:
    """A job that prints so many lines."""

    lines: int
    """Unless it is ended before, by the file END."""
    width: int = 100
    """Bytes of a line, its newline included."""
    rate: int = 0
    """Lines a second, in steps of `step`; 0: as fast as it can."""
    step: int = STEP
    gated: bool = False
    """The first line, and the others when it is sent on: what is rotated away before the kubelet
    has noticed a start nobody can read (docs/life-of-a-cijob.md)."""

    @property
    def spec(self) -> dict[str, Any]:
        """The job's spec."""
        told = asdict(self) | {"filling": len(self._filling), "go": GO, "end": END}
        program = PROGRAM.format(**told)
        return {"command": ["python3", "-c", program]}

    def text(self, start: int, stop: int) -> bytes:
        """What it writes, from one line up to another."""
        filling = self._filling
        return b"".join([b"%09d %b\n" % (n, filling) for n in range(start, stop)])

    def whole(self) -> "Account":
        """The account of everything that it writes."""
        account = Account(self)
        for start in range(0, self.lines, 10 * STEP):
            account.add(self.text(start, min(start + 10 * STEP, self.lines)))
        return account.close()

    @property
    def _filling(self) -> bytes:
        return b"x" * (self.width - NUMBER - 2)


@dataclass
class Account:
    """What came of a printer's lines; equal to another if the same came."""

    printer: Printer
    lines: int = 0
    size: int = 0
    """In bytes."""
    lost: int = 0
    repeated: int = 0
    """Or out of order, which is lost and repeated."""
    strange: int = 0
    """Lines that it never wrote."""
    sha256: str = ""
    holes: list[str] = field(default_factory=list, compare=False)
    """The first places where lines are missing."""
    _next: int = field(default=0, compare=False, repr=False)
    _rest: bytes = field(default=b"", compare=False, repr=False)
    _digest: "hashlib._Hash" = field(default_factory=hashlib.sha256, compare=False, repr=False)

    def add(self, content: bytes) -> None:
        """More of the log, cut anywhere."""
        self._digest.update(content)
        self.size += len(content)
        text = self._rest + content
        cut = text.rfind(b"\n") + 1
        whole, self._rest = text[:cut], text[cut:]
        count = whole.count(b"\n")
        self.lines += count
        if whole == self.printer.text(self._next, self._next + count):
            self._next += count
            return
        for line in whole.splitlines(keepends=True):
            self._look_at(line)

    def close(self) -> "Account":
        """Nothing more comes."""
        self.strange += bool(self._rest)
        self._lose(self.printer.lines)
        self.sha256 = self._digest.hexdigest()
        return self

    def _look_at(self, line: bytes) -> None:
        number = int(line[:NUMBER]) if line[:NUMBER].isdigit() else -1
        if number < 0 or line != self.printer.text(number, number + 1):
            self.strange += 1
        elif number < self._next:
            self.repeated += 1
        else:
            self._lose(number)
            self._next = number + 1

    def _lose(self, until: int) -> None:
        if until > self._next and len(self.holes) < 5:
            self.holes.append(f"{self._next}-{until}")
        self.lost += until - self._next
        self._next = until
