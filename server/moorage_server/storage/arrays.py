"""Rows as they come, and values as array parameters: one statement for a whole batch.

PostgreSQL takes each list as one array of text and casts it, because addresses of
both families, or queues of different length, do not fit into one typed array.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from moorage_server.domain import model

Row = sa.Row[Any]  # its columns are those that the statement names


def facts(all_facts: Sequence[model.Facts]) -> dict[str, list[str]]:
    """The columns of facts."""
    workloads = [each.workload for each in all_facts]
    return {
        "nodes": [each.node for each in workloads],
        "namespaces": [each.namespace for each in workloads],
        "pods": [each.pod for each in workloads],
        "pod_uids": [each.pod_uid for each in workloads],
        "owner_keys": [each.owner_key for each in all_facts],
        "uses": [each.use.value for each in all_facts],
        "labels": [json_text(each.labels) for each in all_facts],
    }


def json_text(value: Mapping[str, str]) -> str:
    """Labels as the text of a JSON object."""
    return json.dumps(dict(value))


def smallint_array(values: Iterable[int]) -> str:
    """Ordinals as the text of an array."""
    return "{" + ",".join(map(str, values)) + "}"


def multirange(runs: Iterable[tuple[int, int]]) -> str:
    """Half-open runs as the text of a multirange."""
    return "{" + ",".join(f"[{start},{stop})" for start, stop in runs) + "}"
