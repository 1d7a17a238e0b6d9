"""JSON from outside, decoded strictly and within bounds; what it means is for the callers."""

import json
import re

DEEPEST_NESTING = 64

# A string is skipped whole, an unterminated one to the end; possessive, so that no text makes
# the search go back over what it has passed.
_BRACKET = re.compile(r'"(?:[^"\\]++|\\.)*+(?:"|\Z|\\\Z)|([\[{])|([\]}])', re.DOTALL)


def decode(text: str | bytes) -> object:
    """Decodes one JSON document.

    Raises:
        ValueError: not UTF-8, not JSON, NaN or Infinity, or nested deeper than DEEPEST_NESTING.
    """
    if isinstance(text, bytes):
        text = text.decode("utf-8")
    # The decoder recurses: depth is bounded before it, not by its RecursionError.
    if _depth(text) > DEEPEST_NESTING:
        raise ValueError(f"nested deeper than {DEEPEST_NESTING} levels")
    value: object = json.loads(text, parse_constant=_refuse_constant)
    return value


def _depth(text: str) -> int:
    depth = deepest = 0
    for match in _BRACKET.finditer(text):
        if match[1]:
            depth += 1
            deepest = max(deepest, depth)
        elif match[2]:
            depth -= 1
    return deepest


def _refuse_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON")
