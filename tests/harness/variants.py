"""Servers that are another one in a single place."""

import pathlib
import shutil

import moorage_server
from moorage_server.storage import schema


def changed(folder: pathlib.Path, module: str, line: str, instead: str) -> pathlib.Path:
    """Makes a server with something else in a line of a module; returns where its modules are.

    Migrations lie beside them, as an installed server has them.
    """
    original = pathlib.Path(moorage_server.__file__).parent
    copy = folder / original.name
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(original, copy, ignore=ignored)
    shutil.copytree(schema.migrations_path(), copy / "migrations", ignore=ignored)
    text = (copy / module).read_text()
    if text.count(line) != 1:
        raise LookupError(f"{module} has {text.count(line)} times {line!r}")
    (copy / module).write_text(text.replace(line, instead))
    return copy.parent
