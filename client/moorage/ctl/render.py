"""Prints resources on standard output: table, wide, json, yaml or name.

A table is plain text in columns, cut off nowhere, so that it can be searched; its columns are
chosen in `moorage.ctl.columns`. Large listings are written while they arrive, but for tables.
"""

import itertools
import math
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import click
import yaml
from google.protobuf import json_format

from moorage.ctl import columns, exits, kinds, manifests
from moorage.v1 import resources_pb2

FORMATS = ("table", "wide", "json", "yaml", "name")


def document(resource: columns.Shown) -> dict[str, object]:
    """Return what stands for a resource in JSON and YAML: its manifest, for `apply` to read."""
    if isinstance(resource, resources_pb2.Allocation):
        return json_format.MessageToDict(resource)
    return manifests.write(resource)


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """What JSON and YAML look like: one resource, and the head of a list of them."""

    document: Callable[[columns.Shown], dict[str, object]]
    api_version: str
    title: str


OWN = Form(document=document, api_version=manifests.API_VERSION, title="List")


def one(resource: columns.Shown, output: str, form: Form = OWN) -> None:
    """Print a single resource."""
    match output:
        case "json":
            click.echo(_json(form.document(resource)))
        case "yaml":
            click.echo(yaml_text(form.document(resource)), nl=False)
        case _:
            many(kinds.kind_of(resource), [resource], output)


def many(
    kind: kinds.Kind, resources: Iterable[columns.Shown], output: str, form: Form = OWN
) -> None:
    """Print a listing."""
    for line in _lines(kind, resources, output, form):
        click.echo(line)


def listed(name: str, found: Iterable[dict[str, object]], output: str) -> None:
    """Print what is no resource, in JSON or YAML: one object with a list of this name."""
    lines = _yaml_object(name, found) if output == "yaml" else _json_object(f'  "{name}": [', found)
    for line in lines:
        click.echo(line)


def aligned(rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a table; the first row is its header."""
    return in_batches([rows])


def in_batches(batches: Iterable[Iterable[Sequence[str]]]) -> Iterator[str]:
    """Yield the lines of a table whose rows are not all there yet.

    A column is as wide as those before have made it, or wider.
    """
    widths: Iterable[int] = itertools.repeat(0)
    for batch in batches:
        table = [[exits.printable(text) or "-" for text in row] for row in batch]
        if table:
            known = zip(widths, zip(*table, strict=True), strict=False)
            widths = [max(width, *map(len, column)) for width, column in known]
        for line in table:
            cells = (text.ljust(width) for text, width in zip(line, widths, strict=False))
            yield "  ".join(cells).rstrip()


def _lines(
    kind: kinds.Kind, resources: Iterable[columns.Shown], output: str, form: Form
) -> Iterator[str]:
    match output:
        case "json":
            yield from _json_listing(kind, resources, form)
        case "yaml":
            yield from _yaml_listing(kind, resources, form)
        case "name":
            yield from (exits.printable(kinds.label_of(resource)) for resource in resources)
        case _:
            yield from _table(kind, resources, wide=output == "wide")


def _json_listing(
    kind: kinds.Kind, resources: Iterable[columns.Shown], form: Form
) -> Iterator[str]:
    """Yield one object: a List of manifests, or the shape of ListAllocations."""
    found = map(form.document, resources)
    if kind is kinds.Kind.ALLOCATION:
        yield from _json_object('  "allocations": [', found)
    else:
        head = f'  "apiVersion": "{form.api_version}",\n  "kind": "{form.title}",'
        yield from _json_object(f'{head}\n  "items": [', found)


def _json_object(head: str, found: Iterable[dict[str, object]]) -> Iterator[str]:
    texts = (textwrap.indent(_json(each), "    ") for each in found)
    # Asked for before anything is written: a call that fails at once leaves no half of an object.
    held_back = next(texts, None)
    yield f"{{\n{head}"
    for text in texts:
        yield f"{held_back},"
        held_back = text
    if held_back is not None:
        yield held_back
    yield "  ]\n}"


def _yaml_listing(
    kind: kinds.Kind, resources: Iterable[columns.Shown], form: Form
) -> Iterator[str]:
    """Yield one document for each manifest, or a single one with a list of allocations."""
    if kind is kinds.Kind.ALLOCATION:
        yield from _yaml_object("allocations", map(form.document, resources))
        return
    for resource in resources:
        yield f"---\n{yaml_text(form.document(resource)).rstrip()}"


def _yaml_object(name: str, found: Iterable[dict[str, object]]) -> Iterator[str]:
    items = [yaml_text([each]).rstrip() for each in found]
    yield "\n".join([f"{name}:", *items]) if items else f"{name}: []"


def _json(value: object) -> str:
    return exits.json_text(value)


def yaml_text(value: object) -> str:
    """Return a value as YAML, lines as long as they are."""
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=math.inf)


def _table(kind: kinds.Kind, resources: Iterable[columns.Shown], *, wide: bool) -> Iterator[str]:
    rows = [columns.cells(resource, wide=wide) for resource in resources]
    if not rows:
        exits.note(f"there are no {kind.plural} to show")
        return
    yield from aligned([list(rows[0]), *(list(row.values()) for row in rows)])
