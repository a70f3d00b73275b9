"""The agent's way through its stages: fetch, verify, unpack, ready, collect, done.

Called by `__main__`. What a stage does is in the other modules; here is their order, what is said
of each, and how the agent ends.
"""

import os
import signal
import time
from collections.abc import Mapping
from contextlib import ExitStack, closing
from mmap import ACCESS_READ, mmap
from types import FrameType

from cijob_agent import control
from cijob_agent.errors import AgentError
from cijob_agent.lifeline import Lifeline
from cijob_agent.settings import Archive, Paths, Repository, Settings, read_settings
from cijob_agent.termination import Termination
from cijob_agent.wording import size

STOPPED = 128 + signal.SIGTERM


def run(environment: Mapping[str, str], paths: Paths) -> int:
    """All stages. The exit code: 0 done, 1 failed with a reason in the termination message."""
    termination = Termination(paths.termination)
    _stop_at_once(termination)
    os.umask(0o022)
    try:
        settings = read_settings(environment)
        with ExitStack() as held:
            lifeline = _prepare(settings, paths, termination, held)
            # As long as the job that needs us; not for one that never begins.
            if lifeline and lifeline.begun(settings.start_timeout_seconds):
                return _stay(settings, paths, termination, lifeline)
        termination.enter("done")
    except AgentError as error:
        termination.fail(error.reason, str(error))
        return 1
    except Exception as error:  # whatever it is, the operator needs a name for it
        termination.fail(AgentError.reason, f"{type(error).__name__}: {error}")
        return 1
    return 0


def _prepare(
    settings: Settings, paths: Paths, termination: Termination, held: ExitStack
) -> Lifeline | None:
    """Everything that the job waits for; its lifeline, if the agent is needed while it runs."""
    started = time.monotonic()
    termination.enter("fetch", _announcement(settings))
    control.make_folders(paths.control)
    lifeline = None
    if settings.beside_the_job:
        lifeline = held.enter_context(closing(Lifeline(paths.control)))
    brought, offers_key = "no source", False
    if archive := settings.archive:
        brought = f"{_bring_archive(settings, archive, paths, termination)} files"
    elif repository := settings.repository:
        brought = _bring_commit(settings, repository, paths, termination)
        offers_key = lifeline is not None and _offer_key(repository, paths, held)
    took = time.monotonic() - started
    termination.waited = round(control.waited(paths.control, took) if lifeline else took, 3)
    if lifeline:
        _stop_at_once(termination, lifeline)
        control.say_ready(paths.control)
    # After the fact: killed in between, the job ends by name. The other way round it would wait
    # for a file that never comes, beside an agent that said all was well.
    termination.enter("ready", f"{brought} after {took:.2f} s")
    return lifeline if offers_key or settings.collect else None


def _stay(settings: Settings, paths: Paths, termination: Termination, lifeline: Lifeline) -> int:
    """Until the job's command has ended and what it leaves behind is collected; the exit code."""
    plan = settings.collect
    if plan is None:
        lifeline.await_end()
        termination.enter("done")
        return 0
    # While the command runs: it would be waited for at the end.
    from cijob_agent.clocks import Clock  # noqa: PLC0415
    from cijob_agent.collecting import Ran, collect  # noqa: PLC0415
    from cijob_agent.delivery import Delivery  # noqa: PLC0415

    clock = Clock()
    signal.signal(signal.SIGTERM, lambda _signal, _frame: clock.stop_soon())
    lifeline.await_end()
    clock.start()
    termination.enter("collect")
    way = Delivery(plan.url, paths.token, clock)
    ran = Ran(control.exit_code(paths.control), round(termination.waited or 0))
    outcome = collect(plan, paths.workspace, way, clock, ran=ran)
    if not outcome.told:
        termination.fail(None, outcome.words)
        return 1
    termination.enter("done", outcome.words)
    return 0


def _offer_key(repository: Repository, paths: Paths, held: ExitStack) -> bool:
    """Let the job sign with the repository's ssh key, if there is one."""
    from cijob_agent.sshagent import offering  # noqa: PLC0415  # few jobs need it

    known_hosts = held.enter_context(offering(repository, paths.ssh))
    if known_hosts:
        control.settle_git(paths.control, paths.workspace, known_hosts)
    return known_hosts is not None


def _announcement(settings: Settings) -> str:
    if archive := settings.archive:
        return f"{size(archive.size)} from {archive.url}"
    if repository := settings.repository:
        return f"{repository.commit or repository.ref or 'HEAD'} of {repository.url}"
    return ""


def _bring_commit(
    settings: Settings, repository: Repository, paths: Paths, termination: Termination
) -> str:
    """Clone the repository; what was checked out, in words."""
    from cijob_agent.clones import Room, Tries, clone  # noqa: PLC0415  # the first words first

    # By the volume's own mount: between two mounts nothing can be moved.
    workspace, aside = f"{paths.volume}/workspace", f"{paths.volume}/clone"
    os.makedirs(aside, mode=0o700, exist_ok=True)  # noqa: PTH103
    room = Room(workspace, aside, paths.private, settings.workspace_bytes)
    tries = Tries(settings.start_timeout_seconds)
    commit = clone(repository, room, tries, tell=termination.enter)
    control.settle_git(paths.control, paths.workspace)
    termination.commit = commit
    return f"commit {commit}"


def _bring_archive(
    settings: Settings, archive: Archive, paths: Paths, termination: Termination
) -> int:
    """Fetch, verify and unpack the archive; how many files it had."""
    from cijob_agent.gateway import Patience, fetch  # noqa: PLC0415  # the first words first

    def tell(words: str) -> None:
        termination.enter("fetch", words)

    scratch = control.open_scratch(paths.control)
    try:
        fetch(archive, paths.token, scratch, Patience(settings.start_timeout_seconds), tell=tell)
        with mmap(scratch, archive.size, access=ACCESS_READ) as image:
            return _unpack(image, settings.workspace_bytes, paths.workspace, termination)
    finally:
        os.close(scratch)


def _unpack(image: mmap, limit: int, workspace: str, termination: Termination) -> int:
    from cijob_agent import archives, workspaces  # noqa: PLC0415  # not needed before

    termination.enter("verify")
    plan = archives.read_plan(image, limit)
    termination.enter("unpack", f"{len(plan.files)} files, {size(plan.unpacked)}")
    workspaces.write(image, plan, workspace)
    return len(plan.files)


def _stop_at_once(termination: Termination, lifeline: Lifeline | None = None) -> None:
    """TERM before the command begins: nobody needs us any more. PID 1 has no default action.

    Once it runs, TERM is for the command: what is done for it is done to the end.
    """

    def stop(_signal: int, _frame: FrameType | None) -> None:
        if lifeline and lifeline.begun():
            return
        before = "the job's command began" if lifeline else "the source was ready"
        termination.fail(None, f"told to stop (TERM) before {before}")
        os._exit(STOPPED)  # an exception could be caught where it is not meant

    signal.signal(signal.SIGTERM, stop)
