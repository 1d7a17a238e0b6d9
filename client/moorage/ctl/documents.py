"""Reads YAML and JSON: files, directories and standard input become documents with their origin.

What a document means is the matter of `moorage.ctl.manifests`. JSON is YAML too, but is read
hundreds of times as fast as itself; what begins like JSON and is none may still be YAML.
"""

import itertools
import json
import pathlib
import re
import sys
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass

import yaml

import moorage
from moorage.cni import yamltext
from moorage.ctl import exits

SUFFIXES = (".yaml", ".yml", ".json")

_BLANKS = re.compile(r"[ \t\r\n]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One document, and where it stands."""

    where: str
    value: object


class _Twice(ValueError):
    """A key stands twice in one object of JSON."""


class _Unambiguous(yamltext.Bounded):
    """YAML without duplicate keys: of two, one would be ignored in silence."""

    def construct_mapping(
        self, node: yaml.MappingNode, deep: bool = False
    ) -> dict[Hashable, object]:
        """Return the mapping, or refuse it at its second key of one name."""
        seen: set[str] = set()
        # What is tagged as a set may be none.
        pairs = node.value if isinstance(node, yaml.MappingNode) else []
        for key in (key for key, _ in pairs if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"the key {key.value!r} stands here twice", problem_mark=key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)


class _Loader(_Unambiguous, yaml.SafeLoader):
    """Tells best what is wrong."""


if yaml.__with_libyaml__:

    class _QuickLoader(_Unambiguous, yaml.composer.Composer, yaml.CSafeLoader):
        """Reads the same several times as fast.

        Composed in Python: nested too deeply, what libyaml composes would end the process.
        """

        def __init__(self, text: str) -> None:
            yaml.CSafeLoader.__init__(self, text)
            yaml.composer.Composer.__init__(self)


def read(sources: Sequence[str]) -> list[Document]:
    """Return the documents of files, directories and "-", empty ones left out."""
    found: list[Document] = []
    for source in sources:
        for name, text in _texts(source):
            found += _documents(name, text)
    if not found:
        raise exits.refused(f"there is no document in {', '.join(sources)}")
    return found


def _texts(source: str) -> Iterator[tuple[str, str]]:
    """Yield name and content of each file that `source` stands for."""
    if source == "-":
        yield "standard input", _text("standard input", sys.stdin.buffer.read())
        return
    for path in _files(pathlib.Path(source)):
        try:
            content = path.read_bytes()
        except OSError as error:
            raise exits.refused(f"cannot read {path}: {error.strerror}") from error
        yield str(path), _text(str(path), content)


def _files(path: pathlib.Path) -> list[pathlib.Path]:
    if not path.is_dir():
        return [path]
    try:
        return sorted(child for child in path.iterdir() if child.suffix in SUFFIXES)
    except OSError as error:
        raise exits.refused(f"cannot read {path}: {error.strerror}") from error


def _text(name: str, content: bytes) -> str:
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        raise exits.refused(f"{name} is not text in UTF-8: {error.reason}") from error


def _documents(name: str, text: str) -> list[Document]:
    try:
        found = _json(name, text)
        found = _yaml(name, text) if found is None else found
    except yaml.YAMLError as error:
        problem = moorage.Violation(_place(name, error), _problem(error))
        raise exits.refused("cannot read YAML; nothing was changed", [problem]) from error
    except RecursionError as error:
        raise exits.refused(f"{name} is nested too deeply to be a manifest") from error
    return [item for each in found if each.value is not None for item in _items(each)]


def _json(name: str, text: str) -> list[Document] | None:
    """Return the documents of JSON, which follow one another; None where it is none."""
    start = _blanks(text, 0)
    if text[start : start + 1] not in ("{", "["):
        return None
    try:
        return list(_decoded(name, text))
    except ValueError:  # also for a number of too many digits
        return None


def _decoded(name: str, text: str) -> Iterator[Document]:
    decoder = json.JSONDecoder(object_pairs_hook=_object)
    line, end = 1, 0
    for number in itertools.count(1):
        start = _blanks(text, end)
        if start == len(text):
            return
        line += text.count("\n", end, start)
        where = f"{name}, document {number} (line {line})"
        try:
            value, end = decoder.raw_decode(text, start)
        except _Twice as error:
            problem = moorage.Violation(where, str(error))
            raise exits.refused("cannot read JSON; nothing was changed", [problem]) from error
        line += text.count("\n", start, end)
        yield Document(where=where, value=value)


def _blanks(text: str, start: int) -> int:
    """Return where blanks that begin at `start` end."""
    match = _BLANKS.match(text, start)
    return match.end() if match else start


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for at, key in enumerate(keys) if key in keys[:at])
        raise _Twice(f"the key {twice!r} stands here twice")
    return found


def _yaml(name: str, text: str) -> list[Document]:
    if yaml.__with_libyaml__:
        try:
            return list(_parsed(name, _QuickLoader(text)))
        except yaml.YAMLError:
            pass  # told by the other one
    return list(_parsed(name, _Loader(text)))


def _parsed(name: str, loader: "_Loader | _QuickLoader") -> Iterator[Document]:
    for number in itertools.count(1):
        node = loader.get_node() if loader.check_node() else None
        if node is None:
            return
        where = f"{name}, document {number} (line {node.start_mark.line + 1})"
        yield Document(where=where, value=loader.construct_document(node))


def _items(document: Document) -> Iterator[Document]:
    """Yield the items of a `kind: List`, or of one such as `kind: PoolList`, or the document."""
    value = document.value
    kind = value.get("kind") if isinstance(value, dict) else None
    if not isinstance(value, dict) or not isinstance(kind, str) or not kind.endswith("List"):
        yield document
        return
    items = value.get("items")
    if not isinstance(items, list):
        raise exits.refused(f"{document.where}: `items` of a {kind} must be a list")
    shared = _shared(kind, value.get("apiVersion"))
    for index, item in enumerate(items):
        own = {**shared, **item} if isinstance(item, dict) else item
        yield Document(where=f"{document.where}, items[{index}]", value=own)


def _shared(kind: str, version: object) -> dict[str, object]:
    """Return what the items of a PoolList need not say themselves; those of a List must."""
    own = kind.removesuffix("List")
    return {"apiVersion": version, "kind": own} if own else {}


def _place(name: str, error: yaml.YAMLError) -> str:
    mark = error.problem_mark if isinstance(error, yaml.MarkedYAMLError) else None
    return f"{name}, line {mark.line + 1}, column {mark.column + 1}" if mark else name


def _problem(error: yaml.YAMLError) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem:
        return error.problem
    return next(iter(str(error).splitlines()), "not YAML")
