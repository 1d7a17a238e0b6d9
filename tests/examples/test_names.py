"""What names and serials the examples make."""

import argparse
import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

import consumer
import dns_zone

LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
ALIKE = some.text(alphabet="aA0-_.\u0130 ", max_size=70) | some.text(max_size=70)


@settings(deadline=None)
@given(ALIKE)
def test_every_text_has_a_label(text: str) -> None:
    made = consumer.label(text)
    assert LABEL.fullmatch(made)
    assert consumer.label(made) == made or made != text


@settings(deadline=None)
@given(ALIKE, ALIKE)
def test_different_texts_have_different_labels(one: str, other: str) -> None:
    assert (consumer.label(one) == consumer.label(other)) == (one == other)


def test_labels_of_different_texts_stay_apart_also_when_one_is_the_label_of_the_other() -> None:
    made = consumer.label("Cart_1")
    assert made.startswith("cart-1-")
    assert consumer.label(made) != made


@pytest.mark.parametrize("text", ["cart-0", "web-7d4b9c6f5d-x2x9k", "a", "0", "x" * 63])
def test_what_is_a_label_stays_as_it_is(text: str) -> None:
    assert consumer.label(text) == text


def test_a_serial_is_the_time_or_grows_by_one() -> None:
    now = int(time.time())
    assert dns_zone.following(now + 1000) == now + 1001
    assert now <= dns_zone.following(now - 1000) <= now + 60
    assert now <= dns_zone.following(2**32 - 1) <= now + 60  # the next one, of 32 bits


@pytest.mark.parametrize("name", ["", ".", "a..b", "a b", "-a", "a-", "x" * 64, "a." * 61])
def test_what_is_no_domain_is_refused(name: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is not a domain's name"):
        dns_zone.domain(name)
