"""In which order what is measured takes its turns."""

import collections

from bench import turns


def test_what_others_are_compared_with_has_its_turn_beside_each_of_theirs() -> None:
    order = list(turns.beside("base", ["a", "b", "c"], 2))
    pairs = [set(pair) for pair in zip(order[::2], order[1::2], strict=True)]
    assert all("base" in pair for pair in pairs)
    others = collections.Counter(each for each in order if each != "base")
    assert others == {"a": 2, "b": 2, "c": 2}


def test_it_has_the_first_of_two_turns_as_often_as_the_second() -> None:
    order = list(turns.beside("base", ["a", "b"], 3))
    assert collections.Counter(order[::2])["base"] == 3
    assert collections.Counter(order[1::2])["base"] == 3


def test_the_others_all_have_had_a_turn_before_one_has_another() -> None:
    others = [each for each in turns.beside(0, [1, 2, 3], 20) if each]
    orders = {tuple(others[at : at + 3]) for at in range(0, len(others), 3)}
    assert all(sorted(each) == [1, 2, 3] for each in orders)
    assert len(orders) > 1
