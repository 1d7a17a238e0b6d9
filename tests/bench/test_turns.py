"""In which order what is measured takes its turns."""

import collections

from bench import turns


def test_what_others_are_compared_with_has_its_turn_before_each_of_theirs() -> None:
    order = list(turns.beside("base", ["a", "b", "c"], 2))
    assert order[::2] == ["base"] * 6
    assert collections.Counter(order[1::2]) == {"a": 2, "b": 2, "c": 2}


def test_the_others_all_have_had_a_turn_before_one_has_another() -> None:
    others = list(turns.beside(0, [1, 2, 3], 20))[1::2]
    orders = {tuple(others[at : at + 3]) for at in range(0, len(others), 3)}
    assert all(sorted(each) == [1, 2, 3] for each in orders)
    assert len(orders) > 1
