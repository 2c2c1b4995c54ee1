"""Deadlines that share one timer."""

import asyncio

import pytest

from common.slot_queue import Deadlines

SECONDS = 0.05


class LateError(Exception):
    pass


async def test_each_has_its_time_and_no_more():
    deadlines = Deadlines(LateError)
    loop = asyncio.get_running_loop()
    done, first, later = (loop.create_future() for _ in range(3))
    deadlines.add(done, SECONDS)
    deadlines.add(first, SECONDS)
    deadlines.add(later, 60)
    done.set_result("in time")
    with pytest.raises(LateError):
        await first
    assert not later.done()
    assert await done == "in time"


async def test_one_that_comes_after_all_others_are_gone_has_a_deadline_too():
    deadlines = Deadlines(LateError)
    for _ in range(2):
        late = asyncio.get_running_loop().create_future()
        deadlines.add(late, SECONDS)
        with pytest.raises(LateError):
            await late


async def test_what_is_done_is_kept_no_longer_than_those_before_it():
    deadlines = Deadlines(LateError)
    loop = asyncio.get_running_loop()
    for _ in range(100):
        future = loop.create_future()
        deadlines.add(future, 60)
        future.set_result(None)
    assert len(deadlines._futures) == 1


@pytest.mark.parametrize("error", [RuntimeError, asyncio.CancelledError])
async def test_whatever_one_deadline_raises_the_others_are_kept(error):
    answers = iter([error, LateError, LateError])
    raised = []

    def late():
        answer = next(answers)
        raised.append(answer)
        if answer is error:
            raise error
        return answer()

    deadlines = Deadlines(late)
    futures = [asyncio.get_running_loop().create_future() for _ in range(3)]
    for future in futures:
        deadlines.add(future, SECONDS)
    for future in futures[1:]:
        with pytest.raises(LateError):
            await future
    assert raised == [error, LateError, LateError]
