"""No event is lost, many become one, one key is never worked on twice at a time."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
import uvloop
from hypothesis import given
from hypothesis import strategies as st

from cijob_operator.workqueue import FIRST_RETRY_SECONDS, LAST_RETRY_SECONDS, WorkQueue

Body = Callable[[WorkQueue[str]], Coroutine[Any, Any, None]]


def in_loop(body: Body) -> None:
    """Run a test with a queue of its own, in the operator's loop; nothing may take 5 s."""

    async def run() -> None:
        async with asyncio.timeout(5):
            await body(WorkQueue())

    uvloop.run(run())


def test_keys_come_in_the_order_in_which_they_were_added() -> None:
    async def body(queue: WorkQueue[str]) -> None:
        for key in ("a", "b", "a"):
            queue.add(key)
        assert [await queue.get(), await queue.get()] == ["a", "b"]
        assert len(queue) == 0

    in_loop(body)


def test_a_key_added_while_it_is_worked_on_comes_again_afterwards() -> None:
    async def body(queue: WorkQueue[str]) -> None:
        queue.add("a")
        key = await queue.get()
        queue.add("a")
        queue.add("a")
        assert len(queue) == 0
        queue.done(key)
        assert await queue.get() == "a"
        queue.done("a")
        assert len(queue) == 0

    in_loop(body)


def test_a_time_may_follow_one_that_is_now() -> None:
    async def body(queue: WorkQueue[str]) -> None:
        queue.add_later("a", 0)
        queue.add_later("b", 3600)
        queue.add_later("c", 0.01)
        assert [await queue.get(), await queue.get()] == ["a", "c"]

    in_loop(body)


def test_of_two_times_the_earlier_counts() -> None:
    async def body(queue: WorkQueue[str]) -> None:
        queue.add_later("a", 3600)
        queue.add_later("a", 0)
        queue.add_later("a", 1800)
        assert await queue.get() == "a"

    in_loop(body)


def test_a_waiting_worker_is_woken_by_an_earlier_time() -> None:
    async def body(queue: WorkQueue[str]) -> None:
        queue.add_later("late", 3600)
        worker = asyncio.create_task(queue.get())
        await asyncio.sleep(0)
        queue.add_later("soon", 0.01)
        assert await worker == "soon"

    in_loop(body)


def test_delays_of_failures_double_up_to_a_limit_and_start_again() -> None:
    async def body(queue: WorkQueue[str]) -> None:
        delays = [queue.retry("a") for _ in range(30)]
        assert delays[:3] == [FIRST_RETRY_SECONDS * n for n in (1, 2, 4)]
        assert delays[-1] == LAST_RETRY_SECONDS
        queue.forget_failures("a")
        assert queue.retry("a") == FIRST_RETRY_SECONDS

    in_loop(body)


def test_a_forgotten_key_does_not_come() -> None:
    async def body(queue: WorkQueue[str]) -> None:
        queue.add_later("a", 0)
        queue.forget("a")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await queue.get()

    in_loop(body)


@given(
    st.lists(
        st.tuples(st.sampled_from("abc"), st.sampled_from(["add", "get", "done"])), max_size=40
    )
)
def test_whatever_happens_no_added_key_is_lost(steps: list[tuple[str, str]]) -> None:
    async def body(queue: WorkQueue[str]) -> None:
        owed: set[str] = set()  # added since it was last taken
        working: set[str] = set()
        for key, step in steps:
            if step == "add":
                queue.add(key)
                owed.add(key)
            elif step == "get" and len(queue):
                taken = await queue.get()
                assert taken not in working
                working.add(taken)
                owed.discard(taken)
            elif step == "done" and key in working:
                working.discard(key)
                queue.done(key)
        for key in working:
            queue.done(key)
        assert {await queue.get() for _ in range(len(queue))} == owed

    in_loop(body)
