"""A Pod's log is read whole, each line once, whatever the log API does in between."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import chain

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from cijob_api.lines import LineId, Parser
from cijob_gateway.logs.bookmarks import ABSENT_TRIES_EMPTY, NOW_TRIES
from cijob_gateway.logs.logitems import Batch, Gap
from cijob_gateway.logs.podlogs import PodLog
from cijob_gateway.logs.readings import END_LINES, Pace, Source
from kit.kubelet import EPOCH, SECOND, Entry, served
from kit.logserver import LogServer, Plan, PodLogs

pytestmark = pytest.mark.process

AT_ONCE = Pace(first=0.0005, most=0.002, silent=0.05, heard=0, tries=12, now=lambda: EPOCH)


def lines(count: int, start: int = 0, step: int = 10**8) -> list[Entry]:
    """So many lines, a tenth of a second apart."""
    return [Entry(n * step, b"line %d\n" % n) for n in range(start, start + count)]


@dataclass
class Reader:
    """A reader of a log and what it was given."""

    log: PodLog
    ended: asyncio.Event
    items: list[Batch | Gap] = field(default_factory=list)

    @property
    def text(self) -> bytes:
        return b"".join(text for item in self.items for text in _texts(item))

    @property
    def ids(self) -> list[str]:
        return [str(i) for item in self.items for i in _ids(item)]

    @property
    def gaps(self) -> list[str]:
        return [item.message for item in self.items if isinstance(item, Gap)]

    async def read(self, tell: Callable[[], None] = lambda: None) -> None:
        async for item in self.log.follow():
            self.items.append(item)
            tell()


def _texts(item: Batch | Gap) -> tuple[bytes, ...]:
    return item.lines if isinstance(item, Batch) else (b"<gap>",)


def _ids(item: Batch | Gap) -> list[LineId]:
    return list(item.content.ids(1)) if isinstance(item, Batch) else []


def reader(server: LogServer, after: LineId | None = None, pace: Pace = AT_ONCE) -> Reader:
    ended = asyncio.Event()
    log = PodLog(server.api, Source("ns", "pod", 1), ended, pace=pace)
    return Reader(log.begin_after(after), ended)


def told(entries: list[Entry]) -> tuple[bytes, list[str]]:
    """The text and the ids of a log read whole."""
    parser = Parser()
    parts = [parser.feed(served(entries)), parser.finish()]
    texts = b"".join(text for part in parts for text in part.texts)
    return texts, [str(i) for part in parts for i in part.ids(1)]


Script = Callable[[PodLogs, Reader], Awaitable[None]]


def followed(
    logs: PodLogs, script: Script, after: LineId | None = None, pace: Pace = AT_ONCE
) -> Reader:
    """Follow a log while a script makes things happen; the reader, when it has ended."""

    async def run() -> Reader:
        async with LogServer.serving(logs) as server, asyncio.timeout(20):
            found = reader(server, after, pace)
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(found.read(logs.tell))
                await script(logs, found)
        return found

    return asyncio.run(run())


async def ends(logs: PodLogs, found: Reader) -> None:
    """The container ends, and the job's status says so."""
    logs.exit()
    found.ended.set()


def test_a_log_is_followed_from_its_first_line_to_its_last() -> None:
    async def script(logs: PodLogs, found: Reader) -> None:
        for n in range(0, 50, 5):
            logs.write(*lines(5, n))
            await logs.until(lambda n=n: len(found.ids) == n + 5)  # type: ignore[misc]
        await ends(logs, found)

    found = followed(PodLogs(), script)
    assert (found.text, found.ids) == told(lines(50))
    assert not found.log.refused


@pytest.mark.parametrize("last", [b"no newline", b"\n", b"\xff\x00\r\n"])
def test_the_last_line_is_given_as_it_is(last: bytes) -> None:
    entries = [*lines(3), Entry(SECOND, last)]
    logs = PodLogs()
    logs.write(*entries)
    assert followed(logs, ends).text == told(entries)[0]


def test_a_job_that_prints_nothing_has_an_empty_log() -> None:
    found = followed(PodLogs(), ends)
    assert (found.items, found.log.refused) == ([], "")


@pytest.mark.parametrize("clean", [True, False], ids=["as-if-ended", "broken"])
@pytest.mark.parametrize("cut", [1, 20, 35, 40, 250, 1000])
def test_a_follow_that_ends_early_is_opened_again_behind_the_last_line(
    *, cut: int, clean: bool
) -> None:
    logs = PodLogs(plans=deque_of(Plan(cut=cut, clean=clean), Plan(), Plan(cut=cut, clean=clean)))
    logs.write(*lines(100))

    async def script(logs: PodLogs, found: Reader) -> None:
        await logs.until(lambda: len(found.ids) == 100)
        logs.write(*lines(20, 100))
        await logs.until(lambda: len(found.ids) == 120)
        await ends(logs, found)

    found = followed(logs, script)
    assert (found.text, found.ids) == told(lines(120))


def deque_of(*plans: Plan) -> "deque[Plan]":
    return deque(plans)


def test_the_api_server_away_for_a_while_costs_no_line() -> None:
    logs = PodLogs()
    logs.write(*lines(100))
    away = [Plan(status=503, message="shutting down")] * 5
    logs.plans.extend([Plan(cut=2000), *away])

    async def script(logs: PodLogs, found: Reader) -> None:
        await logs.until(lambda: len(found.ids) == 100)
        logs.plans.extend(away)  # and again at the very end
        await ends(logs, found)

    found = followed(logs, script)
    assert (found.text, found.ids, found.log.refused) == (*told(lines(100)), "")


def test_a_container_that_waits_to_start_is_waited_for() -> None:
    waiting = Plan(status=400, message='container "job" in pod "pod" is waiting to start')
    logs = PodLogs(plans=deque_of(*[waiting] * 10))
    logs.write(*lines(3))

    async def script(logs: PodLogs, found: Reader) -> None:
        await logs.until(lambda: len(found.ids) == 3)
        await ends(logs, found)

    assert followed(logs, script).text == told(lines(3))[0]


def test_the_kubelet_s_troubles_are_waited_out_and_never_given_as_lines() -> None:
    words = b"failed to create fsnotify watcher: too many open files"
    logs = PodLogs(plans=deque_of(Plan(words=words), Plan(words=words + b"\n"), Plan(words=words)))
    logs.write(*lines(30))

    async def script(logs: PodLogs, found: Reader) -> None:
        await logs.until(lambda: not logs.plans)
        logs.write(*lines(30, 30))
        await logs.until(lambda: len(found.ids) == 60)
        await ends(logs, found)

    found = followed(logs, script)
    assert (found.text, found.ids) == told(lines(60))


def test_words_glued_to_an_unfinished_line_are_not_taken_for_it() -> None:
    entries = [*lines(3), Entry(SECOND, b"and so")]
    logs = PodLogs(plans=deque_of(Plan(words=b"too many open files"), Plan(words=b"again")))
    logs.write(*entries)
    assert followed(logs, ends).text == told(entries)[0]


def test_the_end_is_not_waited_for_when_the_follow_does_not_hear_of_it() -> None:
    logs = PodLogs(plans=deque_of(Plan(hangs=True)))
    logs.write(*lines(10))

    async def script(logs: PodLogs, found: Reader) -> None:
        await logs.until(lambda: len(found.ids) == 10)
        assert logs.followers == 1
        logs.files[-1].extend(lines(5, 10))  # the follow is told nothing
        await ends(logs, found)

    found = followed(logs, script)
    assert found.text == told(lines(15))[0]


# -- a long log that comes fast ----------------------------------------------------------------


def dense(count: int) -> list[Entry]:
    """Lines ten microseconds apart; now and then two of one time, and one that came in pieces."""
    entries = []
    for n in range(count):
        moment = (n - (n % 7 == 0)) * 10_000
        if n % 11 == 0:
            entries.append(Entry(moment, b"the beginning of "))
        entries.append(Entry(moment, b"line %d\n" % n))
    return entries


def asked(logs: PodLogs) -> list[str]:
    """What each request was about."""
    told = ("follow", "tailLines", "sinceTime", "limitBytes")
    return [next((word for word in told if word in query), "all") for query in logs.requests]


@pytest.mark.parametrize("last", [b"", b"no newline"])
def test_of_a_log_that_came_fast_only_the_end_is_read_again(last: bytes) -> None:
    entries = dense(3 * END_LINES)
    if last:
        entries.append(Entry(SECOND, last))
    logs = PodLogs()
    logs.write(*entries)

    async def script(logs: PodLogs, found: Reader) -> None:
        await logs.until(lambda: len(found.ids) == 3 * END_LINES)
        await ends(logs, found)

    found = followed(logs, script)
    assert (found.text, found.ids, found.gaps) == (*told(entries), [])
    assert set(asked(logs)) == {"follow", "tailLines", "limitBytes"}


def test_a_follow_that_is_behind_when_the_container_ends_is_heard_out() -> None:
    entries = dense(3 * END_LINES)
    logs = PodLogs()
    logs.write(*entries)

    async def script(logs: PodLogs, found: Reader) -> None:
        await logs.until(lambda: len(found.ids) > 100)
        await ends(logs, found)

    # However long the server takes for its next part: nothing of it is asked for twice.
    found = followed(logs, script, pace=replace(AT_ONCE, heard=10))
    assert (found.text, found.ids, found.gaps) == (*told(entries), [])
    assert set(asked(logs)) == {"follow", "tailLines", "limitBytes"}


def test_a_long_log_whose_follow_was_silent_too_soon_is_heard_out_and_not_read_again() -> None:
    entries = dense(5 * END_LINES)
    logs = PodLogs(plans=deque_of(Plan(slow=True)))
    logs.write(*entries)

    async def script(logs: PodLogs, found: Reader) -> None:
        logs.give(3 * END_LINES)
        await logs.until(lambda: len(found.ids) > 2 * END_LINES)
        await ends(logs, found)
        await logs.until(lambda: "tailLines" in asked(logs))
        logs.give(len(entries))

    found = followed(logs, script, pace=replace(AT_ONCE, heard=0.3))
    assert (found.text, found.ids, found.gaps) == (*told(entries), [])
    assert set(asked(logs)) == {"follow", "tailLines", "limitBytes"}


def test_a_line_that_is_not_at_the_end_of_a_long_log_is_looked_for_in_all_of_it() -> None:
    entries = dense(5 * END_LINES)
    logs = PodLogs(plans=deque_of(Plan(cut=len(served(entries[: 3 * END_LINES])))))
    logs.write(*entries)

    async def script(logs: PodLogs, found: Reader) -> None:
        await logs.until(lambda: len(found.ids) > 100)
        await ends(logs, found)

    found = followed(logs, script)
    assert (found.text, found.ids, found.gaps) == (*told(entries), [])
    larger = [what for what in asked(logs) if what != "limitBytes"]
    assert larger[:3] == ["follow", "tailLines", "sinceTime"]


# -- rotation ----------------------------------------------------------------------------------


def test_a_live_follow_crosses_rotations() -> None:
    async def script(logs: PodLogs, found: Reader) -> None:
        for n in range(0, 50, 10):
            logs.write(*lines(10, n))
            await logs.until(lambda n=n: len(found.ids) == n + 10)  # type: ignore[misc]
            logs.rotate()
        await ends(logs, found)

    found = followed(PodLogs(), script)
    assert (found.text, found.ids) == told(lines(50))


def test_a_follow_that_ends_with_the_last_but_one_file_loses_nothing() -> None:
    logs = PodLogs(plans=deque_of(Plan(stays=True)))
    logs.write(*lines(20))

    async def script(logs: PodLogs, found: Reader) -> None:
        await logs.until(lambda: len(found.ids) == 20)
        logs.rotate()
        logs.write(*lines(30, 20))
        await ends(logs, found)

    found = followed(logs, script)
    assert (found.text, found.ids, found.gaps) == (*told(lines(50)), [])


@pytest.mark.parametrize("behind", [0, 30])
def test_a_line_that_the_runtime_cut_where_a_file_ends_is_one_line(behind: int) -> None:
    logs = PodLogs(plans=deque_of(Plan(stays=True)))
    cut = [Entry(2 * SECOND, b"the beginning and "), Entry(2 * SECOND + 5, b"the rest\n")]
    logs.write(*lines(20), cut[0])

    async def script(logs: PodLogs, found: Reader) -> None:
        await logs.until(lambda: len(found.ids) == 20)
        logs.rotate()
        logs.write(cut[1], *lines(behind, 21))
        await ends(logs, found)

    found = followed(logs, script)
    written = [*lines(20), Entry(2 * SECOND, b"the beginning and the rest\n"), *lines(behind, 21)]
    assert (found.text, found.ids, found.gaps) == (*told(written), [])


def test_a_log_rotated_after_its_last_line_is_whole() -> None:
    logs = PodLogs()
    logs.write(*lines(20))

    async def script(logs: PodLogs, found: Reader) -> None:
        await logs.until(lambda: len(found.ids) == 20)
        logs.rotate()
        await ends(logs, found)

    found = followed(logs, script)
    assert (found.text, found.ids, found.gaps) == (*told(lines(20)), [])


def behind_the_last(entries: list[Entry]) -> LineId:
    """The id of the last line of these."""
    return LineId.parse(told(entries)[1][-1])


def asked_for_the_rest(logs: PodLogs) -> int:
    return asked(logs).count("sinceTime")


@pytest.mark.parametrize("goes_on", [False, True])
def test_who_comes_back_to_a_new_file_that_is_empty_decides_nothing_yet(*, goes_on: bool) -> None:
    logs = PodLogs()
    logs.write(*lines(20))
    logs.rotate()

    async def script(logs: PodLogs, found: Reader) -> None:
        await logs.until(lambda: asked_for_the_rest(logs) > 5 * ABSENT_TRIES_EMPTY)
        assert found.items == []
        if goes_on:
            logs.write(*lines(5, 100))
            await logs.until(lambda: len(found.ids) == 5)
        await ends(logs, found)

    found = followed(logs, script, behind_the_last(lines(20)))
    # Whether more was written before the rotation nobody here can know: that is said once.
    assert found.text == b"<gap>" + (told(lines(5, 100))[0] if goes_on else b"")


def test_what_is_there_now_of_a_new_file_that_is_empty_is_nothing_and_no_trouble() -> None:
    async def run() -> None:
        logs = PodLogs()
        logs.rotate()
        async with LogServer.serving(logs) as server, asyncio.timeout(20):
            log = reader(server, behind_the_last(lines(20))).log
            for number in range(1, NOW_TRIES):
                assert [item async for item in log.read_once()] == []
                assert bool(log.trouble) == (number < ABSENT_TRIES_EMPTY)

    asyncio.run(run())


def test_lines_that_come_just_before_the_end_into_a_new_file_are_given() -> None:
    logs = PodLogs(plans=deque_of(Plan(cut=len(served(lines(20))), clean=True)))
    logs.write(*lines(20))

    async def script(logs: PodLogs, found: Reader) -> None:
        def happens(query: dict[str, str]) -> None:
            """The last empty answer is asked for before the end, and there are lines behind it."""
            reads = asked_for_the_rest(logs)
            if reads == 1:
                logs.rotate()
            elif reads == ABSENT_TRIES_EMPTY:
                logs.running = False
                found.ended.set()
            elif reads == ABSENT_TRIES_EMPTY + 1:
                logs.write(*lines(3, 20))

        logs.before = happens
        await found.ended.wait()

    found = followed(logs, script)
    assert (found.text, found.gaps) == (told(lines(23))[0], [])


def late() -> datetime:
    """Later than anything that is written here."""
    return EPOCH + timedelta(hours=1)


def test_a_file_that_a_late_follow_leaves_out_is_a_gap() -> None:
    logs = PodLogs()
    logs.write(*lines(20))

    async def script(logs: PodLogs, found: Reader) -> None:
        await logs.until(lambda: len(found.ids) == 20)
        logs.rotate()  # all of this before the follow comes to look again
        logs.write(*lines(20, 20))
        logs.rotate()
        logs.write(*lines(20, 120))
        await logs.until(lambda: len(found.ids) == 40)
        await ends(logs, found)

    found = followed(logs, script, pace=replace(AT_ONCE, now=late))
    assert found.text == told(lines(20))[0] + b"<gap>" + told(lines(20, 120))[0]
    assert "lines are missing here" in found.gaps[0]


def test_a_job_that_was_silent_is_read_on_also_by_who_is_late() -> None:
    logs = PodLogs()
    logs.write(*lines(20))

    async def script(logs: PodLogs, found: Reader) -> None:
        await logs.until(lambda: len(found.ids) == 20)
        logs.write(*lines(20, 120))
        await logs.until(lambda: len(found.ids) == 40)
        await ends(logs, found)

    found = followed(logs, script, pace=replace(AT_ONCE, now=late))
    assert (found.text, found.gaps) == (told(lines(20))[0] + told(lines(20, 120))[0], [])


# -- files that are held open while a follow is late ------------------------------------------

LATE = replace(AT_ONCE, silent=0.3, look=0, look_bytes=1, second_line=0.01)


def looks(logs: PodLogs) -> int:
    """How often a newer file was looked for."""
    return asked(logs).count("limitBytes")


async def begin_file(logs: PodLogs, found: Reader, *entries: Entry) -> None:
    """The log is rotated and goes on; it is rotated again only when the new file is in hand."""
    opened = logs.opened
    logs.rotate()
    logs.write(*entries)
    logs.give(1)
    await logs.until(lambda: logs.opened > opened or entries[0].text in found.text)
    while (looking := found.log._newer._looking) and not looking.done():  # noqa: ASYNC110
        await asyncio.sleep(0.001)


def close(count: int, start: int, second: int = 0) -> list[Entry]:
    """So many lines, a microsecond apart."""
    return [
        Entry(second * SECOND + n * 1000, b"line %d\n" % n) for n in range(start, start + count)
    ]


async def fall_behind(logs: PodLogs, found: Reader, *files: list[Entry]) -> None:
    """The log is rotated twice while its slow follow is in the first file."""
    logs.give(3)
    await logs.until(lambda: len(found.ids) == 5 and looks(logs) > 0)
    for file in files:
        await begin_file(logs, found, *file)


@pytest.mark.parametrize("silent_seconds", [0, 60])
def test_a_follow_that_is_two_files_behind_loses_nothing(silent_seconds: int) -> None:
    written = [close(50, 50 * number, number * silent_seconds) for number in range(4)]
    logs = PodLogs(plans=deque_of(Plan(slow=True)))
    logs.write(*written[0])

    async def script(logs: PodLogs, found: Reader) -> None:
        await fall_behind(logs, found, written[1], written[2])
        assert len(found.ids) < 10
        logs.give(1000)
        await logs.until(lambda: len(found.ids) == 150)
        await begin_file(logs, found, *written[3])
        await logs.until(lambda: len(found.ids) == 200)
        await ends(logs, found)

    found = followed(logs, script, pace=LATE)
    assert (found.text, found.ids, found.gaps) == (*told([*chain(*written)]), [])
    assert logs.followers == 0


def test_a_file_that_was_rotated_before_its_end_was_reached_is_followed_by_the_next() -> None:
    logs = PodLogs(plans=deque_of(Plan(slow=True)))
    logs.write(*close(50, 0))

    async def script(logs: PodLogs, found: Reader) -> None:
        logs.give(18)
        await logs.until(lambda: len(found.ids) == 20)
        logs.rotate()
        logs.write(*close(30, 50))
        logs.give(1000)  # that follow hears of nothing
        await logs.until(lambda: len(found.ids) == 80)
        await ends(logs, found)

    # The first look is by silence: of so short a log nothing is expected.
    found = followed(logs, script, pace=replace(LATE, silent=0.05, look_bytes=200))
    assert (found.text, found.ids, found.gaps) == (*told(close(80, 0)), [])


@pytest.mark.parametrize("behind", [0, 1, 30])
@pytest.mark.parametrize("late", [True, False])
def test_a_line_that_goes_on_in_a_file_that_is_held_open_is_one_line(
    *, behind: int, late: bool
) -> None:
    cut = [Entry(SECOND, b"the beginning and "), Entry(SECOND + 5, b"the rest\n")]
    first, second = close(50, 0), close(behind, 100, 9)
    logs = PodLogs(plans=deque_of(Plan(slow=True)))
    logs.write(*first)

    async def script(logs: PodLogs, found: Reader) -> None:
        logs.give(18)
        await logs.until(lambda: len(found.ids) == 20)
        if not late:
            logs.give(1000)
            await logs.until(lambda: len(found.ids) == 50)
        logs.write(cut[0])
        await begin_file(logs, found, cut[1], *second)
        logs.give(1000)
        await logs.until(lambda: len(found.ids) == 51 + behind)
        await ends(logs, found)

    found = followed(logs, script, pace=LATE)
    written = [*first, Entry(SECOND, b"the beginning and the rest\n"), *second]
    assert (found.text, found.ids, found.gaps) == (*told(written), [])


def test_a_container_that_ends_while_its_follow_is_files_behind_is_read_to_its_end() -> None:
    written = [close(50, 50 * number, 7 * number) for number in range(3)]
    logs = PodLogs(plans=deque_of(Plan(slow=True)))
    logs.write(*written[0])

    async def script(logs: PodLogs, found: Reader) -> None:
        await fall_behind(logs, found, written[1], written[2])
        await ends(logs, found)
        logs.give(1000)

    found = followed(logs, script, pace=replace(LATE, heard=0.1))
    assert (found.text, found.ids, found.gaps) == (*told([*chain(*written)]), [])


@pytest.mark.parametrize("status", [500, 503])
def test_a_file_that_could_not_be_held_open_is_a_gap_if_it_was_left_out(status: int) -> None:
    logs = PodLogs(plans=deque_of(Plan(slow=True)))
    written = [close(50, 0), close(50, 50, 60), close(50, 100, 120)]
    logs.write(*written[0])

    async def script(logs: PodLogs, found: Reader) -> None:
        logs.give(3)
        await logs.until(lambda: len(found.ids) == 5 and looks(logs) > 0)
        logs.plans.extend([Plan(status=status, message="no")] * 1000)
        before = looks(logs)
        logs.rotate()
        logs.write(*written[1])
        logs.give(1)
        await logs.until(lambda: looks(logs) > before)
        logs.plans.clear()
        await begin_file(logs, found, *written[2])
        logs.give(1000)
        await logs.until(lambda: len(found.ids) == 100)
        await ends(logs, found)

    found = followed(logs, script, pace=replace(LATE, rotation=0))
    assert found.text == told(written[0])[0] + b"<gap>" + told(written[2])[0]


def test_lines_rotated_away_while_nobody_followed_are_a_gap() -> None:
    logs = PodLogs(plans=deque_of(Plan(cut=31 * 4 + 7 * 4 + 5)))
    logs.write(*lines(10))

    def rotate(query: dict[str, str]) -> None:
        if len(logs.requests) == 2:
            logs.rotate()
            logs.write(*lines(5, 100))

    logs.before = rotate

    async def script(logs: PodLogs, found: Reader) -> None:
        await logs.until(lambda: len(found.ids) == 9)
        await ends(logs, found)

    found = followed(logs, script)
    before, after = told(lines(4))[0], told(lines(5, 100))[0]
    assert found.text == before + b"<gap>" + after
    assert "lines are missing here" in found.gaps[0]
    assert str(LineId.parse(told(lines(4))[1][-1])) in found.gaps[0]


def test_an_answer_that_is_cut_before_the_place_is_no_gap() -> None:
    logs = PodLogs(plans=deque_of(Plan(cut=3000, clean=True), *[Plan(cut=50, clean=True)] * 2))
    logs.write(*lines(100))

    async def script(logs: PodLogs, found: Reader) -> None:
        await logs.until(lambda: len(found.ids) == 100)
        await ends(logs, found)

    found = followed(logs, script)
    assert (found.text, found.gaps) == (told(lines(100))[0], [])


def test_a_place_rotated_away_between_two_requests_is_decided_by_an_answer_with_an_end() -> None:
    logs = PodLogs(plans=deque_of(Plan(cut=200)))
    logs.write(*lines(10))

    def rotate(query: dict[str, str]) -> None:
        if len(logs.requests) == 3:  # the follow after the read that has found the place
            logs.rotate()
            logs.write(*lines(5, 10))

    logs.before = rotate

    async def script(logs: PodLogs, found: Reader) -> None:
        await logs.until(lambda: len(found.ids) == 15)
        logs.write(*lines(5, 15))
        await logs.until(lambda: len(found.ids) == 20)
        await ends(logs, found)

    found = followed(logs, script)
    # Nothing was lost, but nobody can know: that is said.
    assert found.text == told(lines(10))[0] + b"<gap>" + told(lines(10, 10))[0]


# -- coming back -------------------------------------------------------------------------------


@pytest.mark.parametrize("place", [0, 1, 17, 49])
def test_who_comes_back_goes_on_behind_the_last_line(place: int) -> None:
    entries = lines(50)
    _, ids = told(entries)
    logs = PodLogs()
    logs.write(*entries)
    found = followed(logs, ends, LineId.parse(ids[place]))
    assert found.ids == ids[place + 1 :]
    assert found.text == b"".join(e.text for e in entries[place + 1 :])
    assert all("sinceTime" in query for query in logs.requests[:1])


def test_who_comes_back_to_a_log_without_that_line_is_told_of_the_gap() -> None:
    logs = PodLogs()
    logs.write(*lines(5))
    found = followed(logs, ends, LineId(1, "2020-01-01T00:00:00.000000000Z", 0))
    assert found.text == b"<gap>" + told(lines(5))[0]


def test_a_pod_that_is_gone_ends_the_log_with_words() -> None:
    logs = PodLogs()
    logs.write(*lines(5))

    async def script(logs: PodLogs, found: Reader) -> None:
        await logs.until(lambda: len(found.ids) == 5)
        logs.gone = True
        await ends(logs, found)

    found = followed(logs, script)
    assert found.text == told(lines(5))[0]
    assert found.log.refused == "Pod pod is gone, and the rest of its log with it"


def test_a_log_that_can_no_longer_be_read_is_given_up_with_the_kubelet_s_words() -> None:
    words = b"unable to retrieve container logs for containerd://1234"
    found = followed(PodLogs(plans=deque_of(*[Plan(words=words)] * 30)), ends)
    assert found.items == []
    assert found.log.refused.endswith(words.decode())


@pytest.mark.parametrize("tries", [1, 12])
def test_a_log_that_is_refused_for_a_while_is_read_by_who_has_patience(tries: int) -> None:
    """A runtime that is restarted has no log for anybody, and then has all of it."""
    refusals = [Plan(status=403, message="Forbidden"), Plan(words=b"unable to retrieve logs")] * 20
    logs = PodLogs(plans=deque_of(*refusals))
    logs.write(*lines(5))
    found = followed(logs, ends, pace=replace(AT_ONCE, tries=tries, patience=60))
    assert (found.text, found.log.refused) == (told(lines(5))[0], "")


def test_the_log_of_a_container_that_its_node_has_removed_is_not_waited_for() -> None:
    refusal = Plan(status=400, message='container "job" in pod "pod" is terminated')
    logs = PodLogs(plans=deque_of(*[refusal] * 30))
    found = followed(logs, ends, pace=replace(AT_ONCE, tries=3, patience=60))
    assert found.log.refused.endswith(refusal.message)


def test_refusals_before_the_container_s_end_are_not_held_against_its_log() -> None:
    logs = PodLogs(plans=deque_of(*[Plan(status=403, message="Forbidden")] * 20))
    logs.write(*lines(5))

    async def script(logs: PodLogs, found: Reader) -> None:
        await logs.until(lambda: len(logs.plans) < 3)
        await ends(logs, found)

    found = followed(logs, script, pace=replace(AT_ONCE, tries=5))
    assert (found.text, found.log.refused) == (told(lines(5))[0], "")


def test_a_log_that_fails_at_once_is_not_asked_for_without_pause() -> None:
    async def run() -> int:
        logs = PodLogs(plans=deque_of(*[Plan(status=503)] * 1000))
        async with LogServer.serving(logs) as server:
            found = reader(server, pace=Pace(first=0.001, most=60))
            task = asyncio.create_task(found.read())
            await logs.until(lambda: len(logs.requests) == 5)
            pauses = found.log._now._idle
            task.cancel()
            await asyncio.wait({task})
        return pauses

    assert asyncio.run(run()) == 4


# -- nothing is left behind --------------------------------------------------------------------


def test_a_reader_that_goes_leaves_no_task_and_no_stream() -> None:
    async def run() -> None:
        logs = PodLogs()
        logs.write(*lines(10))
        async with LogServer.serving(logs) as server:
            before = asyncio.all_tasks()
            found = reader(server)
            task = asyncio.create_task(found.read(logs.tell))
            await logs.until(lambda: len(found.ids) == 10 and logs.followers == 1)
            task.cancel()
            await asyncio.wait({task})
            await logs.until(lambda: logs.followers == 0)
            left = {
                t for t in asyncio.all_tasks() - before if "Reader" in repr(t) or "Step" in repr(t)
            }
            assert not left

    asyncio.run(run())


# -- anything can happen -----------------------------------------------------------------------

plans = st.builds(
    Plan,
    cut=st.none() | st.integers(0, 600),
    clean=st.booleans(),
    words=st.sampled_from([b"", b"", b"", b"too many open files"]),
    status=st.sampled_from([200, 200, 200, 200, 503, 500, 429]),
)
schedules = st.lists(
    st.tuples(st.sampled_from(["write", "rotate", "give"]), st.integers(1, 30)), max_size=12
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@example([("rotate", 1), ("rotate", 1), ("rotate", 1)], [False, False, True], 0)
@given(schedules, st.lists(st.booleans(), max_size=4), st.sampled_from([0, 1000, 5 * SECOND]))
def test_however_late_its_follows_are_a_log_that_is_rotated_is_whole(
    schedule: list[tuple[str, int]], slow: list[bool], silence: int
) -> None:
    now, entries = SECOND, list[Entry]()

    def more(count: int) -> list[Entry]:
        nonlocal now
        start = len(entries)
        for number in range(start, start + count):
            now += 1000
            entries.append(Entry(now, b"line %d\n" % number))
        return entries[start:]

    # The looks answer well: every other request of the first ones is one.
    logs = PodLogs(plans=deque(Plan(slow=one) for one in [True, *slow]))
    logs.write(*more(3))

    async def script(logs: PodLogs, found: Reader) -> None:
        nonlocal now
        began = now
        logs.give(1)
        await logs.until(lambda: looks(logs) > 0)
        for what, count in schedule:
            if what == "write":
                logs.write(*more(count))
            elif what == "give":
                logs.give(count)
            else:
                now = began = max(now + silence, began + 3 * SECOND)
                await begin_file(logs, found, *more(count))
        logs.give(10**6)
        await logs.until(lambda: len(found.ids) == len(entries))
        await ends(logs, found)

    found = followed(logs, script, pace=replace(LATE, silent=0.02))
    assert (found.text, found.ids, found.gaps) == (*told(entries), [])
    assert logs.followers == 0


steps = st.sampled_from([0, 0, 1, 1000, -1, -1000, 10**6, 2 * SECOND, 9 * SECOND])
texts = st.sampled_from([b"x\n", b"\n", b"\xff\r\n", b"a piece", b"same\n", b"y" * 300 + b"\n"])


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.lists(st.tuples(steps, texts), max_size=8), min_size=1, max_size=5),
    st.lists(plans, max_size=8),
)
def test_whatever_the_answers_each_line_is_given_once_and_in_order(
    bursts: list[list[tuple[int, bytes]]], bad: list[Plan]
) -> None:
    now, entries = SECOND, list[Entry]()
    grown = []
    for burst in bursts:
        for step, text in burst:
            now += step
            entries.append(Entry(now, text))
        grown.append(len(entries))
    # No two answers in a row that look ended and are not: those cannot be told from the end.
    apart = [(plan, Plan()) if plan.clean or plan.words else (plan,) for plan in bad]
    logs = PodLogs(plans=deque(plan for plans in apart for plan in plans))

    def grow(query: dict[str, str]) -> None:
        """With each request the log has grown."""
        if grown:
            logs.files[-1].extend(entries[len(logs.files[-1]) : grown.pop(0)])
            logs.tell()

    logs.before = grow

    async def script(logs: PodLogs, found: Reader) -> None:
        logs.write(*entries[: grown.pop(0)])
        await logs.until(lambda: bool(logs.requests))
        logs.write(*entries[len(logs.files[-1]) :])
        grown.clear()
        await ends(logs, found)

    found = followed(logs, script)
    assert (found.text, found.ids, found.gaps) == (*told(entries), [])
    assert not found.log.refused
