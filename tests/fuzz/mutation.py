"""Spoils inputs without a fuzzer at hand: blindly, always the same ones for one seed."""

import random
from collections.abc import Callable, Iterator, Sequence

# What parsers of text stumble over, whatever their language.
ODD = (
    *(b"\0", b"\n", b"\r", b"\t", b"\x1b[2J", b"\x7f", b"\xff", b"\xed\xa0\x80", b"\xe2\x80\xae"),
    *(b"%s", b"{}", b"'", b'"', b"\\", b"--", b"[" * 70, b"{" * 70, b"9" * 5000, b"1e999", b"NaN"),
    *(b"\xef\xbb\xbf", b"\xd9\xa7", b"\xe2\x85\xb7", b"\xc4\xb0", b"\xf0\x9f\x98\x80"),
)

Change = Callable[[random.Random, bytes, Sequence[bytes]], bytes]


def inputs(
    seeds: Sequence[bytes], words: Sequence[bytes], longest: int, chance: random.Random
) -> Iterator[bytes]:
    """The seeds, and then without end what comes of them."""
    yield from seeds
    vocabulary = (*words, *ODD)
    while True:
        data = chance.choice(seeds)
        for _ in range(chance.choice((1, 1, 2, 3, 8))):
            data = chance.choice(_CHANGES)(chance, data, vocabulary)[:longest]
        yield data


def _insert(chance: random.Random, data: bytes, words: Sequence[bytes]) -> bytes:
    at = chance.randint(0, len(data))
    return data[:at] + chance.choice(words) + data[at:]


def _replace(chance: random.Random, data: bytes, words: Sequence[bytes]) -> bytes:
    at, end = sorted((chance.randint(0, len(data)), chance.randint(0, len(data))))
    return data[:at] + chance.choice(words) + data[end:]


def _cut(chance: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    at = chance.randint(0, len(data))
    return data[:at] + data[at + chance.randint(1, 8) :]


def _repeat(chance: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    at = chance.randint(0, len(data))
    part = data[at : at + chance.randint(1, 32)]
    return data[:at] + part * chance.choice((2, 3, 70, 500)) + data[at:]


def _flip(chance: random.Random, data: bytes, _: Sequence[bytes]) -> bytes:
    if not data:
        return data
    at = chance.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << chance.randrange(8)]) + data[at + 1 :]


_CHANGES: tuple[Change, ...] = (_insert, _replace, _cut, _repeat, _flip)
