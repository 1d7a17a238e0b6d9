"""The selector language: which labels a pool wants on a node or a namespace, spelt as in Calico.

    zone == "east" && !(rack in {"r1", "r2"} || has(gpu))

This module turns text into a `Selector` and evaluates it. Whose labels are looked at, and whether
`global()` is admissible there, is decided by whoever holds the selector.

Whatever `parse` accepts can be kept in canonical form and parsed from there:

* A text has at most `TEXT_LIMIT` characters, blanks included. Its canonical text may have more,
  in the blanks and parentheses that it writes out, and is accepted as it is.
* At most `NESTING_LIMIT` levels, in the text as written and again in canonical text. In the text as
  written a level is a grouping parenthesis still open. In canonical text a level is a grouping
  parenthesis still open or a `!` in force; there the parentheses that `&&` and `||` imply are
  written out, those round a single term are gone, and a negation of a negation has cancelled. The
  parentheses of `has(x)` and `all()` do not group.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, TypeAlias

TEXT_LIMIT = 1024
CANONICAL_LIMIT = 2 * TEXT_LIMIT  # no text within its limit becomes longer
NESTING_LIMIT = 8
LABEL_LIMIT = 512

Labels = Mapping[str, str]
_Test = Callable[[Labels], bool]
_Node: TypeAlias = "_Term | _Not | _Chain"


class SelectorError(ValueError):
    """Text is not a selector; says where, what stands there, what was expected, and an example."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Selector:
    """A parsed selector, made by `parse` only; equal to every other of the same canonical text.

    `uses_global` says whether `global()` occurs anywhere in it.
    """

    canonical: str
    uses_global: bool = field(compare=False)
    _root: _Node = field(compare=False, repr=False)

    def matches(self, labels: Labels) -> bool:
        """Whether an object carrying exactly these labels is selected."""
        return self._root.matches(labels)


def parse(text: str) -> Selector:
    """Return the selector that `text` spells; empty or blank text is `all()`.

    Raises SelectorError when the text is malformed or over a limit.
    """
    if len(text) > TEXT_LIMIT and not _stands_for_less(text):
        raise _error(TEXT_LIMIT, f"{len(text)} characters", f"at most {TEXT_LIMIT}", _SET)
    return _parsed(text)


def _stands_for_less(text: str) -> bool:
    """Whether a text is the canonical one of another that is within the limit."""
    if len(text) > CANONICAL_LIMIT or len(_SPACIOUS.sub(r"\1", text)) > TEXT_LIMIT:
        return False
    try:
        return _parsed(text).canonical == text
    except SelectorError:
        return False


def _parsed(text: str) -> Selector:
    parser = _Parser(text if text.strip(" \t") else "all()")
    root = parser.whole()
    if root.depth > NESTING_LIMIT:
        found = f"text that takes {root.depth} levels of nesting in canonical form"
        raise _error(0, found, f"at most {NESTING_LIMIT}", _GROUP)
    return Selector(canonical=root.text, uses_global=parser.uses_global, _root=root)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Term:
    text: str
    matches: _Test
    depth: ClassVar[int] = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Not:
    text: str
    depth: int
    operand: _Node

    def matches(self, labels: Labels) -> bool:
        return not self.operand.matches(labels)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Chain:
    """Two or more operands; the first that answers `decisive` settles the whole."""

    text: str
    depth: int
    operands: tuple[_Node, ...]
    decisive: bool

    def matches(self, labels: Labels) -> bool:
        # A plain loop, because all() or any() over a generator costs about half as much again.
        for operand in self.operands:
            if operand.matches(labels) is self.decisive:
                return self.decisive
        return not self.decisive


# labels.get() is None for an absent label, so that != and "not in" hold and == and "in" do not.
_COMPARISONS: dict[str, Callable[[str, str], _Test]] = {
    "==": lambda label, value: lambda labels: labels.get(label) == value,
    "!=": lambda label, value: lambda labels: labels.get(label) != value,
    "contains": lambda label, value: lambda labels: label in labels and value in labels[label],
    "starts with": lambda label, value: (
        lambda labels: label in labels and labels[label].startswith(value)
    ),
    "ends with": lambda label, value: (
        lambda labels: label in labels and labels[label].endswith(value)
    ),
}
_MEMBERSHIPS: dict[str, Callable[[str, frozenset[str]], _Test]] = {
    "in": lambda label, values: lambda labels: labels.get(label) in values,
    "not in": lambda label, values: lambda labels: labels.get(label) not in values,
}
_TWO_WORDS = {"startswith": "starts with", "endswith": "ends with", "notin": "not in"}


def _negation(node: _Node) -> _Node:
    if isinstance(node, _Not):
        return node.operand
    return _Not(text=f"!{node.text}", depth=1 + node.depth, operand=node)


def _chain(sign: str, operands: list[_Node]) -> _Node:
    if len(operands) == 1:
        return operands[0]
    text = f"({f' {sign} '.join(operand.text for operand in operands)})"
    depth = 1 + max(operand.depth for operand in operands)
    return _Chain(text=text, depth=depth, operands=tuple(operands), decisive=sign == "||")


def _quoted(value: str) -> str:
    return f"'{value}'" if '"' in value else f'"{value}"'


def _token(pattern: str) -> re.Pattern[str]:
    return re.compile(f"({pattern})[ \t]*")


_WORD = "[A-Za-z0-9_./-]"
_KEYWORD = "contains|starts[ \t]*with|ends[ \t]*with|not[ \t]*in|in"
_LABEL, _LITERAL = _token(f"{_WORD}+"), _token("\"[^\"]*\"|'[^']*'")
_OPERATOR = _token(f"==|!=|(?:{_KEYWORD})(?!{_WORD})")
_AND, _OR, _NOT = _token("&&"), _token(r"\|\|"), _token("!(?!=)")
_OPEN, _CLOSE = _token(r"\("), _token(r"\)")
_HAS, _ALWAYS = _token(r"has\("), _token(r"(?:all|global)\(")
_OPEN_SET, _COMMA, _CLOSE_SET = _token(r"\{"), _token(","), _token(r"\}")
# What canonical text may have more of than the text that it stands for; values, and parentheses
# that do not group, are as they are.
_SPACIOUS = re.compile(r"""("[^"]*"|'[^']*'|has\([^)]*\)|(?:all|global)\(\))|[ ()]""")
_FOUND = re.compile(rf"""{_WORD}+|"[^"]*"?|'[^']*'?|&&|\|\||[=!]=|.|\Z""", re.DOTALL)

_VALUE = 'zone == "east"'
_SET = 'zone in {"east", "west"}'
_GROUP = 'has(gpu) && (zone == "east" || zone == "west")'
_CALLS = {"has": "has(gpu)", "all": "all()", "global": "global()"}


def _error(offset: int, found: str, expected: str, example: str) -> SelectorError:
    return SelectorError(
        f"bad selector at character {offset + 1}: found {found}, expected {expected}; "
        f"write it like {example}"
    )


class _Parser:
    """Recursive descent, a method per rule; every token swallows the blanks behind it."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.offset = len(text) - len(text.lstrip(" \t"))
        self.open_groups = 0
        self.uses_global = False

    def whole(self) -> _Node:
        root = self.disjunction()
        if self.offset < len(self.text):
            raise self.error("&&, || or the end", _GROUP)
        return root

    def disjunction(self) -> _Node:
        operands = [self.conjunction()]
        while self.take(_OR):
            operands.append(self.conjunction())
        return _chain("||", operands)

    def conjunction(self) -> _Node:
        operands = [self.operation()]
        while self.take(_AND):
            operands.append(self.operation())
        return _chain("&&", operands)

    def operation(self) -> _Node:
        negated = False
        while self.take(_NOT):
            negated = not negated
        node = self.condition()
        return _negation(node) if negated else node

    def condition(self) -> _Node:
        if self.text.startswith("(", self.offset):
            return self.group()
        if self.take(_HAS):
            label = self.label("a label name")
            self.expect(_CLOSE, ")", "has(gpu)")
            return _Term(text=f"has({label})", matches=lambda labels: label in labels)
        if name := self.take(_ALWAYS):
            self.expect(_CLOSE, ")", f"{name})")
            self.uses_global |= name == "global("
            return _Term(text=f"{name})", matches=lambda _labels: True)
        return self.comparison()

    def group(self) -> _Node:
        if self.open_groups == NESTING_LIMIT:
            raise self.error(f"at most {NESTING_LIMIT} open parentheses", _GROUP)
        self.open_groups += 1
        self.take(_OPEN)
        node = self.disjunction()
        self.expect(_CLOSE, "&&, || or )", _GROUP)
        self.open_groups -= 1
        return node

    def comparison(self) -> _Term:
        label = self.label("a label name, has(, all( or (")
        example = _CALLS.get(label, _VALUE)
        written = self.expect(_OPERATOR, "an operator such as ==, != or in", example)
        sign = _TWO_WORDS.get("".join(written.split()), written)
        if membership := _MEMBERSHIPS.get(sign):
            values = self.values()
            text = f"{label} {sign} {{{', '.join(map(_quoted, sorted(values)))}}}"
            return _Term(text=text, matches=membership(label, values))
        value = self.expect(_LITERAL, "a value in quotes", f'zone {sign} "east"')[1:-1]
        test = _COMPARISONS[sign](label, value)
        return _Term(text=f"{label} {sign} {_quoted(value)}", matches=test)

    def label(self, expected: str) -> str:
        start = self.offset
        label = self.expect(_LABEL, expected, _VALUE)
        if len(label) > LABEL_LIMIT:
            found = f"a label name of {len(label)} characters"
            raise _error(start, found, f"at most {LABEL_LIMIT}", _VALUE)
        return label

    def values(self) -> frozenset[str]:
        self.expect(_OPEN_SET, "a set in braces", _SET)
        values: set[str] = set()
        expected = "a value in quotes or }"
        while literal := self.take(_LITERAL):
            values.add(literal[1:-1])
            if not self.take(_COMMA):
                expected = "a comma or }"
                break
        self.expect(_CLOSE_SET, expected, _SET)
        return frozenset(values)

    def take(self, token: re.Pattern[str]) -> str | None:
        match = token.match(self.text, self.offset)
        if match is None:
            return None
        self.offset = match.end()
        return match[1]

    def expect(self, token: re.Pattern[str], expected: str, example: str) -> str:
        taken = self.take(token)
        if taken is None:
            raise self.error(expected, example)
        return taken

    def error(self, expected: str, example: str) -> SelectorError:
        found = next(_FOUND.finditer(self.text, self.offset))[0]
        if found[:1] in {"'", '"'} and found.count(found[0]) == 1:
            expected = f"a closing {found[0]}"
        shown = repr(f"{found[:20]}..." if len(found) > 20 else found) if found else "the end"
        return _error(self.offset, shown, expected, example)
