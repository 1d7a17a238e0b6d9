"""Every target, with the folder of its corpus and its dictionary."""

import pathlib

from fuzz import of_credentials, of_files, of_moorctl, of_the_plugin, of_the_server
from fuzz.target import Target

_HERE = pathlib.Path(__file__).resolve().parent

TARGETS: dict[str, Target] = {
    each.name: each
    for module in (of_the_plugin, of_the_server, of_moorctl, of_files, of_credentials)
    for each in module.TARGETS
}


def corpus(name: str) -> pathlib.Path:
    """The folder of inputs to begin with, and of those that once were too much."""
    return _HERE / "corpus" / name


def dictionary(name: str) -> pathlib.Path:
    """The words of the language of a target, as libFuzzer reads them."""
    return _HERE / "dictionaries" / f"{name}.dict"


def seeds(name: str) -> list[bytes]:
    """The inputs of the corpus, in an order that is always the same."""
    return [path.read_bytes() for path in sorted(corpus(name).iterdir())]


def words(name: str) -> list[bytes]:
    """The words of the dictionary: one a line, in quotes, with escapes as Python has them."""
    lines = dictionary(name).read_text().splitlines()
    quoted = (line.strip() for line in lines if line.startswith('"'))
    return [each[1:-1].encode().decode("unicode_escape").encode("latin-1") for each in quoted]
