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


def commands() -> Iterator[tuple[str, ...]]:
    """All of them, each once, as the words that a shell makes of them."""
    found: dict[tuple[str, ...], None] = {}
    for _, block in blocks():
        for command in _COMMAND.findall(block):
            found[tuple(word for word in shlex.split(command) if word != "…")] = None
    yield from found


def blocks() -> Iterator[tuple[pathlib.Path, str]]:
    """The blocks that have any, each with its page; a command is on a line of its own."""
    for page in PAGES:
        for block in _BLOCK.findall(page.read_text()):
            joined = block.replace("\\\n", " ")
            if _COMMAND.search(joined):
                yield page, joined
