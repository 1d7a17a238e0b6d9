"""Rows as they come, and values as array parameters: one statement for a whole batch.

PostgreSQL takes each list as one array of text and casts it, because addresses of
both families, or queues of different length, do not fit into one typed array.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

import sqlalchemy as sa

Row = sa.Row[Any]  # its columns are those that the statement names


def json_text(value: Mapping[str, str]) -> str:
    """Labels as the text of a JSON object."""
    return json.dumps(dict(value))


def smallint_array(values: Iterable[int]) -> str:
    """Ordinals as the text of an array."""
    return "{" + ",".join(map(str, values)) + "}"


def multirange(runs: Iterable[tuple[int, int]]) -> str:
    """Half-open runs as the text of a multirange."""
    return "{" + ",".join(f"[{start},{stop})" for start, stop in runs) + "}"
