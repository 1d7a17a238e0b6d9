"""The commands of the product's programs that its documentation shows."""

import pathlib
import re
import shlex
from collections.abc import Iterator
from typing import Final

ROOT: Final = pathlib.Path(__file__).parents[2]
PAGES: Final = (
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "client" / "README.md",
    ROOT / "examples" / "README.md",
    *sorted((ROOT / "docs").rglob("*.md")),
)
_BLOCK: Final = re.compile(r"^ *```\w*\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)
# A command begins a line, or follows another in it; what is in quotes may have anything.
_COMMAND: Final = re.compile(
    r"""(?:^\s*(?:\$\s)?|[|;&(]\s*)
    (?:\S*/)?
    ((?:moorctl|moorage-(?:server|agent|controller))\b
    (?:'[^']*'|"[^"]*"|[^'"|;&)\n#>·])*+)(?!·)""",
    re.MULTILINE | re.VERBOSE,
)

_OTHERS: Final = re.compile(
    r"""^(?:[A-Z_]+=\S+\s|.*\|\s)*
    (?:make|kubectl|docker|pytest|python|curl|pip|nft|systemctl)\s""",
    re.MULTILINE | re.VERBOSE,
)


def commands() -> Iterator[tuple[str, ...]]:
    """All of them, each once, as the words that a shell makes of them."""
    found: dict[tuple[str, ...], None] = {}
    for _, block in blocks():
        for command in _COMMAND.findall(block):
            found[tuple(word for word in shlex.split(command) if word != "…")] = None
    yield from found


def blocks() -> Iterator[tuple[pathlib.Path, str]]:
    """The blocks that have any, each with its page; a command is on a line of its own."""
    return (each for each in _all() if _COMMAND.search(each[1]))


def others() -> Iterator[tuple[pathlib.Path, str]]:
    """The blocks that have commands of others' programs, and none of ours."""
    return (each for each in _all() if _OTHERS.search(each[1]) and not _COMMAND.search(each[1]))


def _all() -> Iterator[tuple[pathlib.Path, str]]:
    for page in PAGES:
        for block in _BLOCK.findall(page.read_text()):
            yield page, block.replace("\\\n", " ")
