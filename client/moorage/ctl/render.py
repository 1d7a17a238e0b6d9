"""Prints resources on standard output: table, wide, json, yaml or name.

A table is plain text in columns, cut off nowhere, so that it can be searched; its columns are
chosen in `moorage.ctl.columns`. Large listings are written while they arrive, but for tables.
"""

import json
import math
import textwrap
from collections.abc import Iterable, Iterator

import click
import yaml
from google.protobuf import json_format

from moorage.ctl import columns, exits, kinds, manifests
from moorage.v1 import resources_pb2

FORMATS = ("table", "wide", "json", "yaml", "name")


def one(resource: columns.Shown, output: str) -> None:
    """Print a single resource."""
    match output:
        case "json":
            click.echo(_json(document(resource)))
        case "yaml":
            click.echo(_yaml(document(resource)), nl=False)
        case _:
            many(kinds.kind_of(resource), [resource], output)


def many(kind: kinds.Kind, resources: Iterable[columns.Shown], output: str) -> None:
    """Print a listing."""
    for line in _lines(kind, resources, output):
        click.echo(line)


def document(resource: columns.Shown) -> dict[str, object]:
    """Return what stands for a resource in JSON and YAML: its manifest, for `apply` to read."""
    if isinstance(resource, resources_pb2.Allocation):
        return json_format.MessageToDict(resource)
    return manifests.write(resource)


def _lines(kind: kinds.Kind, resources: Iterable[columns.Shown], output: str) -> Iterator[str]:
    match output:
        case "json":
            yield from _json_listing(kind, resources)
        case "yaml":
            yield from _yaml_listing(kind, resources)
        case "name":
            yield from (exits.printable(kinds.label_of(resource)) for resource in resources)
        case _:
            yield from _table(kind, resources, wide=output == "wide")


def _json_listing(kind: kinds.Kind, resources: Iterable[columns.Shown]) -> Iterator[str]:
    """Yield one object: a List of manifests, or the shape of ListAllocations."""
    texts = (textwrap.indent(_json(document(resource)), "    ") for resource in resources)
    # Asked for before anything is written: a call that fails at once leaves no half of an object.
    held_back = next(texts, None)
    if kind is kinds.Kind.ALLOCATION:
        yield '{\n  "allocations": ['
    else:
        yield f'{{\n  "apiVersion": "{manifests.API_VERSION}",\n  "kind": "List",\n  "items": ['
    for text in texts:
        yield f"{held_back},"
        held_back = text
    if held_back is not None:
        yield held_back
    yield "  ]\n}"


def _yaml_listing(kind: kinds.Kind, resources: Iterable[columns.Shown]) -> Iterator[str]:
    """Yield one document for each manifest, or a single one with a list of allocations."""
    if kind is kinds.Kind.ALLOCATION:
        items = [_yaml([document(resource)]).rstrip() for resource in resources]
        yield "\n".join(["allocations:", *items]) if items else "allocations: []"
        return
    for resource in resources:
        yield f"---\n{_yaml(document(resource)).rstrip()}"


def _json(value: object) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)


def _yaml(value: object) -> str:
    return yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=math.inf)


def _table(kind: kinds.Kind, resources: Iterable[columns.Shown], *, wide: bool) -> Iterator[str]:
    rows = [columns.cells(resource, wide=wide) for resource in resources]
    if not rows:
        exits.note(f"there are no {kind.plural} to show")
        return
    table = [list(rows[0])]
    table += [[exits.printable(text) or "-" for text in row.values()] for row in rows]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for line in table:
        cells = (text.ljust(width) for text, width in zip(line, widths, strict=True))
        yield "  ".join(cells).rstrip()
