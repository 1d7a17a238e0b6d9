"""What a part of the server costs, made of stacks that a sampler saw and of each thread's CPU."""

import pytest

from bench import profile, server_parts

_SITE = "/venv/site-packages"
_LOOP = "Loop.run (/lib/asyncio/events.py:80)"
_BATCH = "run (/x/moorage_server/usecases/batch.py:75)"


@pytest.mark.parametrize(
    ("frames", "part"),
    [
        ([_LOOP], server_parts.LOOP),
        (["main (/x/y.py:1)"], server_parts.OTHER),
        ([_BATCH, f"Connection.wait ({_SITE}/psycopg/connection.py:495)"], server_parts.DRIVER),
        ([_LOOP, "check (/x/moorage_server/api/interceptors.py:7)"], "the server's boundary"),
        ([_LOOP, "assign (/x/moorage_server/api/decode.py:7)"], "the request read and every"),
        (
            [_LOOP, "assign (/x/moorage_server/api/decode.py:7)", "x (/moorage_server/domain/y:1)"],
            "the request read and every",
        ),
        ([_BATCH], "the rest of the batch"),
        ([_BATCH, "plan (/x/moorage_server/domain/placement.py:9)"], "decisions"),
        ([_BATCH, f"send (/{_SITE}/psycopg/cursor.py:9)"], "statements sent"),
        ([_BATCH, f"send (/{_SITE}/psycopg/cursor.py:9)", "len (<frozen abc>:1)"], "statements"),
        (["work (/x/moorage_server/api/numbering.py:7)", f"{_SITE}/psycopg/x.py:9"], "numbering"),
    ],
)
def test_a_stack_is_of_the_innermost_part_unless_it_is_on_behalf_of_another(
    frames: list[str], part: str
) -> None:
    assert server_parts.part(frames).startswith(part)


def test_stacks_are_counted_by_thread_and_who_waits_is_not() -> None:
    lines = [f"thread (7): MainThread;{_LOOP} 3", f"thread (7): MainThread;{_LOOP};{_BATCH} 2"]
    lines += [f"thread (8): batch_0;{_BATCH} 5", "process 6:moorage-server 1"]
    lines += ["thread (9): probe_0;_worker (/lib/concurrent/futures/thread.py:81) 40"]
    assert server_parts.counted(lines) == {
        7: {server_parts.LOOP: 3, "the rest of the batch": 2},
        8: {"the rest of the batch": 5},
    }


def test_what_a_thread_spent_is_divided_by_what_it_was_seen_at() -> None:
    counts = {7: {server_parts.LOOP: 150, "metrics": 50}, 8: {server_parts.LOOP: 1}}
    assert profile.divided_by({7: 2.0, 8: 1.0, 9: 0.5}, counts) == pytest.approx(
        {server_parts.LOOP: 2.5, "metrics": 0.5, profile.NATIVE: 0.5}
    )


def test_what_a_thread_spent_beside_what_it_was_seen_at_is_the_driver_s() -> None:
    counts = {8: {server_parts.STATEMENTS: 20, "log": 20, server_parts.DRIVER: 900}}
    told = profile.divided_by({8: 1.0}, counts)
    assert told == pytest.approx({server_parts.STATEMENTS: 0.8, "log": 0.2})
    told = profile.divided_by({8: 0.1}, counts)
    assert told == pytest.approx({server_parts.STATEMENTS: 0.05, "log": 0.05})
