"""A guide as it is followed: the files that it shows, and commands with what they print."""

import pathlib
import re
import shlex
from collections.abc import Iterator
from typing import Final, NamedTuple

GUIDES: Final = sorted((pathlib.Path(__file__).parents[2] / "docs" / "guides").glob("*.md"))
_BLOCK: Final = re.compile(r"^```(yaml|console)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_NAMED: Final = re.compile(r"# (\S+)\n")
_COMMAND: Final = re.compile(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", re.MULTILINE)


class Command(NamedTuple):
    """What is typed, and what is printed: `...` stands for anything."""

    words: list[str]
    shown: str


def files(guide: pathlib.Path) -> Iterator[tuple[str, str]]:
    """The files that it shows, by the names in their first lines."""
    for language, text in _BLOCK.findall(guide.read_text()):
        named = _NAMED.match(text)
        if language == "yaml" and named:
            yield named[1], text


def commands(guide: pathlib.Path) -> Iterator[Command]:
    """Its commands, in order."""
    for language, text in _BLOCK.findall(guide.read_text()):
        if language == "console":
            for line, shown in _COMMAND.findall(text):
                yield Command(shlex.split(line), shown)
