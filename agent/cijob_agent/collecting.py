"""What the job leaves behind, brought to the gateway at its end; called by `stages`.

Reports first: they are small, and asked for most. What cannot be kept is said by name and keeps
nothing else from being kept; the job's verdict has been spoken elsewhere.
"""

import os
import sys
from collections.abc import Callable, Iterable
from contextlib import closing
from functools import partial
from typing import Any, NamedTuple

from cijob_agent.clocks import Clock, OutOfTime
from cijob_agent.delivery import Delivery, Refused, Stored, Unreachable, Write
from cijob_agent.globs import is_glob
from cijob_agent.packing import pack, send_file
from cijob_agent.problems import Problems
from cijob_agent.settings import Artifact, Collect
from cijob_agent.walking import FILE, Entry, Missing, TooMany, Walk, opened_file
from cijob_agent.wording import quoted, shown, size

# Paths of reports, in memory while more are looked for; of all of them the gateway takes a hundred.
MOST_FOUND_BYTES = 8 << 20
COMPLETE, PARTIAL, FAILED = "Complete", "Partial", "Failed"


class Limits(NamedTuple):
    """What the gateway takes of one attempt, in bytes; reports also in number."""

    artifact: int
    total: int
    report: int
    reports: int


class Outcome(NamedTuple):
    """How it went."""

    state: str
    words: str
    told: bool  # whether the gateway knows


class Ran(NamedTuple):
    """The command that has ended."""

    code: int | None  # its exit code, if it left one
    fetch_seconds: int = 0  # how long it had waited for its source


def collect(
    plan: Collect, workspace: str, delivery: Delivery, clock: Clock, *, ran: Ran
) -> Outcome:
    """Bring everything, and tell the gateway."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
    with closing(delivery):
        root = os.open(workspace, flags)
        try:
            collection = _Collection(root, delivery, clock)
            collection.bring(plan, succeeded=ran.code == 0)
        finally:
            os.close(root)
        return collection.tell(ran)


class _Collection:
    """One attempt's results, as they are brought."""

    def __init__(self, root: int, delivery: Delivery, clock: Clock) -> None:
        self._root = root
        self._delivery = delivery
        self._clock = clock
        self._artifacts: list[dict[str, Any]] = []
        self._reports: list[dict[str, Any]] = []
        self._missing = Problems()
        self._sent = 0

    def bring(self, plan: Collect, *, succeeded: bool) -> None:
        """All that is planned, as far as there is time."""
        skipped = "OnFailure" if succeeded else "OnSuccess"
        artifacts = [one for one in plan.artifacts if one.when != skipped]
        try:
            limits = self._ask_limits()
        except Exception as error:
            for what in [f"artifact {one.name}" for one in artifacts]:
                self._missing.add(what)
            if plan.junit:
                self._missing.add("reports")
            self._missing.add(_reason(error))
            return
        if plan.junit:
            self._bring_reports(plan.junit, limits)
        for artifact in artifacts:
            what = f"artifact {artifact.name}"
            self._try(what, partial(self._bring_artifact, artifact, limits))

    def tell(self, ran: Ran) -> Outcome:
        """Tell the gateway that this was all."""
        missing, kept = self._missing, bool(self._artifacts or self._reports)
        state = COMPLETE if not missing.count else PARTIAL if kept else FAILED
        words = str(missing)
        said = {
            "artifacts": self._artifacts,
            "reports": self._reports,
            "state": state,
            "message": words,
            "fetchSeconds": ran.fetch_seconds,
        }
        try:
            self._delivery.ask("POST", "collection", said, last=True)
        except (Unreachable, Refused) as error:
            whole = (
                words if missing.has(str(error)) else "; ".join(filter(None, (words, str(error))))
            )
            return Outcome(FAILED, whole, told=False)
        counts = f"{len(self._artifacts)} artifacts and {len(self._reports)} reports"
        return Outcome(state, f"{counts}{'; missing: ' + words if words else ''}", told=True)

    def _ask_limits(self) -> Limits:
        said = self._delivery.ask("GET", "collection")
        return Limits(
            *(int(said[name]) for name in ("artifactBytes", "totalBytes", "reportBytes", "reports"))
        )

    def _try(self, what: str, work: Callable[[], None]) -> None:
        """Do one thing; why it cannot be done is noted."""
        try:
            self._clock.tick()
            work()
        except Exception as problem:  # whatever it is, the others must not be lost with it
            self._missing.add(f"{what}: {_reason(problem)}")

    # -- reports -------------------------------------------------------------------------------

    def _bring_reports(self, globs: Iterable[str], limits: Limits) -> None:
        found: set[str] = set()
        for glob in globs:
            self._try(f"reports {glob}", partial(self._find_reports, glob, found))
        paths = sorted(found)
        for path in paths[: limits.reports]:
            self._try(f"report {quoted(path)}", partial(self._bring_report, path, limits))
        if len(paths) > limits.reports:
            self._missing.add(f"{len(paths)} reports, of which {limits.reports} are taken")

    def _find_reports(self, glob: str, found: set[str]) -> None:
        if sum(map(sys.getsizeof, found)) > MOST_FOUND_BYTES:
            raise TooMany(f"not looked for, behind {len(found)} others")
        entries = Walk(self._root, self._clock.tick).find(glob)
        files = {entry.path for entry in entries if entry.kind == FILE}
        if not files:
            raise Missing("there is no such file")
        found |= files

    def _bring_report(self, path: str, limits: Limits) -> None:
        number = len(self._reports)
        stored = self._send_file(f"reports/{number}", path, limits.report)
        self._reports.append({"number": number, "path": shown(path), "sizeBytes": stored.size})

    # -- artifacts -----------------------------------------------------------------------------

    def _bring_artifact(self, artifact: Artifact, limits: Limits) -> None:
        walk = Walk(self._root, self._clock.tick)
        entries = walk.find(artifact.path)
        if not entries:
            raise Missing(f"nothing matches {quoted(artifact.path)}")
        room = min(limits.artifact, limits.total - self._sent)
        total = sum(entry.size for entry in entries)
        if total > room:
            raise Missing(f"{size(total)}, and {size(max(room, 0))} are left of the limits")
        target = f"artifacts/{artifact.name}"
        single = entries[0].kind == FILE and not is_glob(artifact.path)
        if single:
            stored, left_out = self._send_file(target, entries[0].path, room), Problems()
            file = entries[0].path.rpartition("/")[2]
        else:
            stored, left_out = self._send_archive(target, entries)
            file = f"{artifact.name}.tar.gz"
        self._sent += stored.size
        for problems in (walk.left_out, left_out):
            self._missing.add_all(f"artifact {artifact.name}", problems)
        self._artifacts.append(
            {
                "name": artifact.name,
                "file": shown(file),
                "sizeBytes": stored.size,
                "sha256": stored.sha256,
            }
        )

    def _send_archive(self, target: str, entries: list[Entry]) -> tuple[Stored, Problems]:
        left_out = Problems()

        def produce(write: Write) -> None:
            nonlocal left_out
            left_out = pack(self._root, entries, write)

        return self._delivery.send(target, produce), left_out

    def _send_file(self, target: str, path: str, limit: int) -> Stored:
        def produce(write: Write) -> None:
            with opened_file(self._root, path) as (file, count):
                if count > limit:
                    raise Missing(f"{size(count)}, the limit is {size(limit)}")
                if send_file(file, count, write):
                    raise Missing(f"{quoted(path)} became shorter while it was read")

        return self._delivery.send(target, produce)


def _reason(problem: Exception) -> str:
    """Why something is not kept; what nobody foresaw, with its kind."""
    foreseen = isinstance(problem, Missing | TooMany | Refused | Unreachable | OutOfTime)
    return str(problem) if foreseen else f"{type(problem).__name__}: {problem}"
