"""Files in JSON: what kubectl listed, and reports."""

from __future__ import annotations

import json
import pathlib
import sys
import time

from moorage.ctl import exits


def read(source: str) -> object:
    """Return what a file holds, "-" being standard input; raises exits.Failed."""
    name = "standard input" if source == "-" else source
    try:
        content = sys.stdin.buffer.read() if source == "-" else pathlib.Path(source).read_bytes()
        value: object = json.loads(content)
    except OSError as error:
        raise exits.refused(f"cannot read {name}: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise exits.refused(f"{name} is not JSON: {error}") from error
    return value


def moment(source: str) -> float:
    """Return when a file was written, in seconds since the epoch; standard input: now."""
    now = time.time()
    if source == "-":
        return now
    try:
        return min(pathlib.Path(source).stat().st_mtime, now)
    except OSError as error:
        raise exits.refused(f"cannot read {source}: {error.strerror}") from error


def write(path: str, document: dict[str, object]) -> None:
    """Write a document; raises exits.Failed."""
    try:
        pathlib.Path(path).write_text(text(document) + "\n", encoding="utf-8")
    except OSError as error:
        raise exits.refused(f"cannot write {path}: {error.strerror}") from error


def text(document: dict[str, object]) -> str:
    """Return a document as it is printed and written."""
    return exits.json_text(document)
