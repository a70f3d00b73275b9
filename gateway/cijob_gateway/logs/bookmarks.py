"""How far one attempt's log was read, and what is known of that place.

Used by snapshots.py and podlogs.py, which ask the API server; this asks nobody.
"""

from collections.abc import Iterator

from cijob_api.lines import NOTHING, LineId, Lines, Resume, seconds_between
from cijob_gateway.logs.leaps import ROTATION_SECONDS
from cijob_gateway.logs.logitems import Batch, batches
from cijob_gateway.logs.readings import Dense, Place, Reading, joined

# After how many answers in a row without it a line is believed to be gone.
ABSENT_TRIES = 2
ABSENT_TRIES_EMPTY = 4
# How often a reader asks who wants what is there now: until that is sure, and once more.
NOW_TRIES = ABSENT_TRIES_EMPTY + 1


class Bookmark:
    """A reader's place in the log of one attempt."""

    def __init__(self, attempt: int, last: LineId | None = None) -> None:
        """Behind a line, or at the start."""
        self.last = last
        """The last line that was given, or that reading began behind."""
        self.place = Place(last)
        """Where to read on; at the beginning of what is there, where the line is gone."""
        self.file_ended = False
        """The place is where a file of the log ends."""
        self._attempt = attempt
        self._rest = NOTHING  # a last line without a newline, which may grow
        self._cut = NOTHING  # what stands in the last file of a line that goes on in the next
        self._agreeing = 0  # answers in a row that have ended alike, and added nothing
        self._absences = 0
        self._dense = Dense()

    @property
    def agreed(self) -> bool:
        """Whether the end is sure: one answer may be cut short, two do not end alike by chance."""
        return self._agreeing >= 2

    @property
    def dense(self) -> bool:
        """Whether to look back for the last line is to read more than the end of the log."""
        return self._dense.at(self.place.after)

    def take(self, lines: Lines) -> Iterator[Batch]:
        """Read on: these lines come next."""
        if not lines:
            return
        self._agreeing = 0
        self._rest = NOTHING  # it was read again, as a whole line
        self.file_ended = False
        cut, self._cut = self._cut, NOTHING
        for batch in batches(joined(cut, lines), self._attempt):
            self.last = batch.last
            self._dense.add(len(batch.lines), self.last)
            self.place = Place(self.last, batch.lines[-1])
            if cut and len(batch.lines) == 1:  # in this file stands only the rest of it
                self.place = Place(lines.id_of(0, self._attempt), lines.texts[0])
            cut = NOTHING
            yield batch

    def take_rest(self) -> Iterator[Batch]:
        """The last line, which ends without a newline: nothing more comes."""
        rest, self._rest = self._rest, NOTHING
        return self.take(rest)

    def ends(self, reading: Reading, *, file: bool) -> None:
        """An answer has ended here, alike the one before it or not; `file`: and so does a file."""
        same = self._rest.texts == reading.rest.texts
        self._agreeing = self._agreeing + 1 if same else 1
        self._rest = reading.rest
        self._absences = 0
        self.file_ended = self.file_ended or file

    def breaks_off(self) -> None:
        """There was no answer, or no end of it."""
        self.file_ended = False
        self._agreeing = 0

    def stands_at(self, timestamp: str, text: bytes) -> None:
        """The last line has its end in a file whose first line, of that time, that end is."""
        self.place = Place(LineId(self._attempt, timestamp, 0), text)

    def turns(self) -> None:
        """The next lines are those of the next file, from its beginning."""
        self._cut, self._rest = self._rest, NOTHING
        self._agreeing = 0

    def believes(self, resume: Resume) -> bool:
        """Whether an answer without the place in it is the one more that makes it believed.

        An answer may be cut short before the place and look whole. It is likely to be so, or the
        new file to be empty still, if nothing in it is younger than the place.
        """
        after = self.place.after.timestamp if self.place.after else ""
        self._absences += 1
        if self._absences < (ABSENT_TRIES_EMPTY if resume.newest <= after else ABSENT_TRIES):
            return False
        self._absences = 0
        return True

    def is_lost(self, first: str) -> bool:
        """The place is gone, and the log begins at that time now: whether lines are missing.

        Reading goes on there. No file is shorter than the seconds between the kubelet's rotations.
        """
        after = self.place.after.timestamp if self.place.after else ""
        self.place = Place()
        since = seconds_between(after, first) if first and after else ROTATION_SECONDS
        if self.file_ended and 0 <= since < ROTATION_SECONDS:
            self.turns()
            return False
        return True
