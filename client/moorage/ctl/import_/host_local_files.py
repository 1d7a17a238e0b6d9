"""The directory that host-local keeps for each network: a file for each address that is held.

A file has the address as its name, and in it the container and, on a line of its own, the
interface; that of an old version names only the container.
"""

from __future__ import annotations

import pathlib
from dataclasses import dataclass

from moorage.ctl import exits, manifests, specs
from moorage.ctl.import_ import values

_LOCK = "lock"
_LAST_RESERVED = "last_reserved_ip."
_LONGEST_FILE = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A file: an address, and who holds it; without a container id where the file is empty."""

    where: str
    address: values.Address
    container_id: str
    interface: str


def read(
    directory: pathlib.Path, interface: str, place: specs.Place, notes: list[str]
) -> list[Entry]:
    """Return who holds which address, in order; raises exits.Failed without a directory."""
    try:
        files = sorted(directory.iterdir())
    except OSError as error:
        raise exits.refused(f"cannot read {directory}: {error.strerror}") from error
    found = (_entry(path, interface, place, notes) for path in files if not _is_its_own(path))
    known = [each for each in found if each is not None]
    return sorted(known, key=lambda each: (each.address.version, int(each.address)))


def _is_its_own(path: pathlib.Path) -> bool:
    return path.name == _LOCK or path.name.startswith(_LAST_RESERVED)


def _entry(
    path: pathlib.Path, interface: str, place: specs.Place, notes: list[str]
) -> Entry | None:
    address = _named(path.name)
    if address is None or not path.is_file():
        notes.append(f"{path}: is no file of an address; left out")
        return None
    inside = specs.Place(where=str(path), problems=place.problems)
    words = _words(path, inside)
    if words is None:
        return None
    if not words:
        notes.append(f"{path}: names no container; {address} is reserved")
    if len(words) > 2:
        inside.refuse(f"has {len(words)} words; a container id and an interface are expected")
    container_id, named = (*words, "", "")[:2]
    return Entry(
        where=str(path),
        address=address,
        container_id=values.identifier(container_id, inside),
        interface=values.interface(named or interface, inside),
    )


def _named(name: str) -> values.Address | None:
    """Return the address that a file is named by; on Windows, a colon is an underscore."""
    try:
        return manifests.network(name.replace("_", ":"), bare=True)[0] if "/" not in name else None
    except ValueError:
        return None


def _words(path: pathlib.Path, place: specs.Place) -> list[str] | None:
    """Return what stands in a file; None where it is gone: the address was released meanwhile."""
    try:
        with path.open("rb") as file:
            content = file.read(_LONGEST_FILE)
        return content.decode("ascii").split()
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        place.refuse(f"cannot be read: {getattr(error, 'strerror', None) or 'not text in ASCII'}")
        return None
