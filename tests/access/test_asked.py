"""Answers of somebody far away are asked for once at a time, and kept for a while."""

import asyncio

import pytest

from moorage_server.api import asked


class Oracle:
    """Answers, when it is let, with how often it was asked; fails where that is about nothing."""

    def __init__(self) -> None:
        self.asked = 0
        self.now = 100.0
        self.may = asyncio.Event()
        self.may.set()
        self.answers = asked.Asked(self.answer, 60, lambda answer: answer != 2, lambda: self.now)

    async def answer(self, question: str) -> int:
        self.asked += 1
        mine = self.asked
        await self.may.wait()
        if not question:
            raise LookupError
        return mine


def test_an_answer_is_kept_for_its_time_and_no_longer() -> None:
    async def run() -> None:
        oracle = Oracle()
        assert await oracle.answers.get("a") == 1
        oracle.now += 59
        assert await oracle.answers.get("a") == 1
        oracle.now += 1
        assert await oracle.answers.get("a") == 2

    asyncio.run(run())


def test_its_time_begins_with_its_question() -> None:
    async def run() -> None:
        oracle = Oracle()
        oracle.may.clear()
        waiting = asyncio.create_task(oracle.answers.get("a"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        oracle.now += 60
        oracle.may.set()
        assert await waiting == 1
        assert await oracle.answers.get("a") == 2

    asyncio.run(run())


def test_what_is_not_worth_it_is_asked_for_again() -> None:
    async def run() -> None:
        oracle = Oracle()
        assert [await oracle.answers.get(each) for each in "abba"] == [1, 2, 3, 1]

    asyncio.run(run())


def test_who_stops_waiting_leaves_it_to_the_others() -> None:
    async def run() -> None:
        oracle = Oracle()
        oracle.may.clear()
        first, second = (asyncio.create_task(oracle.answers.get("a")) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        oracle.may.set()
        assert await second == 1 == oracle.asked

    asyncio.run(run())


def test_a_failure_is_told_to_all_who_wait_and_forgotten() -> None:
    async def run() -> None:
        oracle = Oracle()
        told = await asyncio.gather(
            *(oracle.answers.get("") for _ in range(3)), return_exceptions=True
        )
        assert [type(each) for each in told] == [LookupError] * 3
        assert oracle.asked == 1
        with pytest.raises(LookupError):
            await oracle.answers.get("")
        assert oracle.asked == 2

    asyncio.run(run())


def test_no_more_are_kept_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asked, "MOST", 3)

    async def run() -> None:
        oracle = Oracle()
        for each in "abc":
            await oracle.answers.get(each)
        await oracle.answers.get("d")
        await oracle.answers.get("e")
        before = oracle.asked
        await oracle.answers.get("a")
        assert oracle.asked == before + 1

    asyncio.run(run())
