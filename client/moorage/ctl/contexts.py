"""Contexts: settings under a name, in a file that people write.

    # ~/.config/moorage/config.toml
    [contexts.production]
    server = "ipam.example:7711"
    tls-ca = "ca.crt"    # beside this file, unless it is absolute

Which one is in use where none is named is in the file `context` beside it: moorctl does not write
into what people write.
"""

from __future__ import annotations

import os
import pathlib
import tomllib
from collections.abc import Mapping

from moorage import files
from moorage.ctl import exits

CONFIG_VARIABLE = "MOORAGE_CONFIG"
FILE_KEYS = frozenset({"tls-ca", "tls-cert", "tls-key", "token-file"})
KEYS = FILE_KEYS | {"server", "timeout", "vrf"}

Values = Mapping[str, str]


def path() -> pathlib.Path:
    """Return where the file is, whether it is there or not."""
    if given := os.environ.get(CONFIG_VARIABLE):
        return pathlib.Path(given)
    home = os.environ.get("XDG_CONFIG_HOME") or pathlib.Path("~/.config").expanduser()
    return pathlib.Path(home) / "moorage" / "config.toml"


def in_use() -> str:
    """Return the name of the context that is in use where none is named; "" for none."""
    try:
        return _in_use().read_text().strip()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise exits.refused(f"cannot read {_in_use()}: {error}") from error


def use(name: str) -> None:
    """Have a context in use from now on; raises exits.Failed."""
    find(name)
    try:
        files.replace(_in_use(), f"{name}\n".encode())
    except OSError as error:
        raise exits.refused(f"cannot write {_in_use()}: {error}") from error


def find(name: str) -> Values:
    """Return what a context says, by the names of the options; raises exits.Failed."""
    known = everything()
    if name not in known:
        there = f"it has {', '.join(known)}" if known else "it has none, or is not there"
        raise exits.refused(f"there is no context {name!r} in {path()}; {there}")
    return known[name]


def everything() -> Mapping[str, Values]:
    """Return all contexts of the file, in its order; raises exits.Failed."""
    try:
        written = tomllib.loads(path().read_text())
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise exits.refused(f"cannot read {path()}: {error}") from error
    if unknown := sorted(written.keys() - {"contexts"}):
        raise exits.refused(f"{path()}: {unknown[0]!r} is unknown; write [contexts.NAME]")
    contexts = written.get("contexts", {})
    if not isinstance(contexts, dict):
        raise exits.refused(f"{path()}: 'contexts' is no table; write [contexts.NAME]")
    return {name: _values(name, told) for name, told in contexts.items()}


def _values(name: str, told: object) -> Values:
    where = f"{path()}: contexts.{name}"
    if not isinstance(told, dict):
        raise exits.refused(f"{where} is no table; write [contexts.{name}]")
    if unknown := sorted(told.keys() - KEYS):
        raise exits.refused(f"{where}: {unknown[0]!r} is none of {', '.join(sorted(KEYS))}")
    return {key: _value(f"{where}.{key}", key, value) for key, value in told.items()}


def _value(where: str, key: str, value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise exits.refused(f'{where} is neither a text nor a number; write {key} = "TEXT"')
    # The folder of the file, not of whoever calls: that is another each time.
    is_file = key in FILE_KEYS and value
    return str(path().parent / pathlib.Path(str(value)).expanduser()) if is_file else str(value)


def _in_use() -> pathlib.Path:
    return path().parent / "context"
