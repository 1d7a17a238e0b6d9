"""Rows as they come, and values as array parameters: one statement for a whole batch.

Each list goes as the text of one array, which the statement casts: addresses of both
families, or queues of different length, do not fit into one typed array, and the
driver adapts a list element by element, at several times the cost.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from moorage_server.domain import model

Row = sa.Row[Any]  # its columns are those that the statement names


def facts(all_facts: Sequence[model.Facts]) -> dict[str, str]:
    """The columns of facts."""
    workloads = [each.workload for each in all_facts]
    return {
        "nodes": texts(each.node for each in workloads),
        "namespaces": texts(each.namespace for each in workloads),
        "pods": texts(each.pod for each in workloads),
        "pod_uids": texts(each.pod_uid for each in workloads),
        "clusters": texts(each.cluster for each in workloads),
        "owner_keys": texts(each.owner_key for each in all_facts),
        "stickies": numbers(each.sticky for each in all_facts),
        "uses": texts(each.use.value for each in all_facts),
        "labels": texts(json_text(each.labels) for each in all_facts),
    }


def json_text(value: Mapping[str, str]) -> str:
    """Labels as the text of a JSON object."""
    return json.dumps(dict(value))


def texts(values: Iterable[str | None]) -> str:
    """Texts as the text of an array."""
    listed = list(values)
    known = [value for value in listed if value is not None]
    if not listed or len(known) < len(listed):
        return "{" + ",".join(map(_quoted, listed)) + "}"
    # All are escaped at once, kept apart by NUL, which no text in PostgreSQL contains.
    joined = _escaped("\0".join(known))
    return '{"' + joined.replace("\0", '","') + '"}'


def numbers(values: Iterable[int | None]) -> str:
    """Numbers as the text of an array."""
    return "{" + ",".join("NULL" if value is None else str(value) for value in values) + "}"


def multirange(runs: Iterable[tuple[int, int]]) -> str:
    """Half-open runs as the text of a multirange."""
    return "{" + ",".join(f"[{start},{stop})" for start, stop in runs) + "}"


def _quoted(value: str | None) -> str:
    return "NULL" if value is None else f'"{_escaped(value)}"'


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')
