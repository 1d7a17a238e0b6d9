"""moorctl import netbox: pools and reservations of what NetBox has of prefixes and IP addresses.

NetBox says what an address is for, and not which container has it: each becomes a reservation.
"""

from __future__ import annotations

import csv
import io
import pathlib
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import click

from moorage.ctl import exits, manifests, settings, specs
from moorage.ctl.import_ import estate, flags, making, takeover, values
from moorage.v1 import resources_pb2

SOURCE = "NetBox"

_ADDRESS_COLUMNS = ("ip_address", "address")
_PREFIX_COLUMN = "prefix"
# What NetBox exports where there is no VRF.
_GLOBAL = "Global"
_YES = frozenset({"true", "yes", "1"})
_LABELS = {"status": "netbox.status", "role": "netbox.role", "dns_name": "netbox.dns-name"}
_LONGEST_VALUE = 256


@click.command("netbox")
@click.argument("sources", metavar="FILE...", nargs=-1, required=True)
@flags.how()
@settings.after_command
def command(where: settings.Settings, sources: Sequence[str], how: takeover.How) -> None:
    """Take over prefixes as pools, and IP addresses as reservations.

    \b
      moorctl import netbox prefixes.csv addresses.csv
      moorctl import netbox prefixes.csv addresses.csv --apply

    FILE is what "Export" of the list of prefixes, or of IP addresses, gives as CSV, or "-". Without
    --apply it is shown what would be made and what is in the way. With a conflict anywhere, nothing
    is changed and the exit code is 4.

    An active prefix becomes a pool, a reserved one a reservation; containers and deprecated ones
    are left out. Every address becomes a reservation with its description, whatever its status:
    NetBox does not know which container has it. Importing again brings the reservations to what
    the files say then.
    """
    takeover.run(where, read(sources, where.vrf), how)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """A line of a file: its values by the names of their columns."""

    place: specs.Place
    cells: Mapping[str, str]

    def __getitem__(self, column: str) -> str:
        return self.cells.get(column, "")

    @property
    def status(self) -> str:
        """As NetBox stores it; where there is none, it is in use."""
        return self["status"].lower() or "active"


@dataclass(slots=True)
class _Pile:
    """What has been read so far."""

    vrf: str
    pools: list[manifests.Manifest] = field(default_factory=list)
    kept: dict[str, manifests.Manifest] = field(default_factory=dict)
    spaces: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)


def read(sources: Sequence[str], vrf: str) -> estate.Estate:
    """Return what NetBox has; raises exits.Failed with all that is wrong."""
    sheet, pile = specs.Place(where=""), _Pile(vrf=vrf)
    for source in sources:
        for row in _rows(source, sheet):
            pile.spaces.add("" if row["vrf"] == _GLOBAL else row["vrf"])
            if _PREFIX_COLUMN in row.cells:
                _take_prefix(row, pile)
            else:
                _take_address(row, pile)
    if len(pile.spaces) > 1:
        named = ", ".join(sorted(each or _GLOBAL for each in pile.spaces))
        sheet.refuse(f"several VRFs of {SOURCE}: {named}; export and import each by itself: --vrf")
    estate.refuse_problems(sheet)
    return estate.Estate(
        source=SOURCE,
        manifests=(*pile.pools, *pile.kept.values()),
        kept=frozenset(each.resource.name for each in pile.kept.values()),
        notes=tuple(pile.notes),
    )


def _rows(source: str, sheet: specs.Place) -> Iterator[_Row]:
    name, text = _text(source)
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        columns = [_column(title) for title in next(reader, [])]
        if not {_PREFIX_COLUMN, *_ADDRESS_COLUMNS} & set(columns):
            place = specs.Place(where=f"{name}, line 1", problems=sheet.problems)
            place.refuse('must have a column "Prefix" or "IP Address"; give an export as CSV')
            return
        for cells in reader:
            place = specs.Place(where=f"{name}, line {reader.line_num}", problems=sheet.problems)
            if len(cells) > len(columns):
                place.refuse(f"has {len(cells)} fields, and the first line {len(columns)}")
            elif cells:
                plain = map(_plain, cells)
                yield _Row(place=place, cells=dict(zip(columns, plain, strict=False)))
    except csv.Error as error:
        place = specs.Place(where=f"{name}, line {reader.line_num}", problems=sheet.problems)
        place.refuse(f"is not CSV: {error}")


def _text(source: str) -> tuple[str, str]:
    """Return name and content of a file, or of standard input."""
    try:
        if source == "-":
            return "standard input", sys.stdin.buffer.read().decode("utf-8-sig")
        return source, pathlib.Path(source).read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise exits.refused(f"cannot read {source}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise exits.refused(f"{source} is not text in UTF-8: {error.reason}") from error


def _column(title: str) -> str:
    """Return the name of a column: in lists it is "DNS Name", for imports "dns_name"."""
    return re.sub(r"\W+", "_", title.strip().lower()).strip("_")


def _plain(cell: str) -> str:
    """Return what a cell says; to old versions a dash is nothing, and bullets are depth."""
    text = cell.replace("•", "").strip()
    return "" if text == "—" else text


def _take_prefix(row: _Row, pile: _Pile) -> None:
    cidr = values.network(row[_PREFIX_COLUMN], row.place.child(_PREFIX_COLUMN))
    if cidr is None:
        return
    own_id = f"netbox-{estate.slug(str(cidr))}"
    match row.status:
        case "active":
            pool = _pool(cidr, row)
            pile.pools.append(making.pool(own_id, pile.vrf, row.place.where, pool))
        case "reserved":
            _keep(str(cidr), own_id, row, pile)
        case other:
            pile.notes.append(f"{row.place.where}: {cidr} is {other}; left out")


def _pool(cidr: estate.Network, row: _Row) -> resources_pb2.Pool:
    """Return a pool; NetBox gives the addresses of the network itself only where all are alike."""
    is_pool = (row["is_pool"] or row["pool"]).lower() in _YES
    return resources_pb2.Pool(
        cidr=str(cidr),
        exclude_network_addresses=cidr.num_addresses > 2 and not is_pool,
        labels=_labels(row),
    )


def _take_address(row: _Row, pile: _Pile) -> None:
    column = next(each for each in _ADDRESS_COLUMNS if each in row.cells)
    # The prefix length is that of the network around it.
    address = values.address(row[column].partition("/")[0], row.place.child(column))
    if address is not None:
        _keep(str(address), f"netbox-{estate.slug(str(address))}", row, pile)


def _keep(cidr: str, own_id: str, row: _Row, pile: _Pile) -> None:
    text = row["description"] or row["dns_name"] or f"{row.status} in {SOURCE}"
    made = making.reservation(own_id, pile.vrf, row.place.where, [cidr], text, _labels(row))
    known = pile.kept.setdefault(made.resource.name, made)
    if known is not made:
        pile.notes.append(f"{row.place.where}: {cidr} stands in {known.where} as well; left out")


def _labels(row: _Row) -> dict[str, str]:
    return {
        label: values.printable(row[column], _LONGEST_VALUE)
        for column, label in _LABELS.items()
        if row[column]
    }
