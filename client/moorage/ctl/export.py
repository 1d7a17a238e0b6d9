"""moorctl export: everything of a VRF in a file, for `moorctl import moorage`."""

from __future__ import annotations

import collections
import contextlib
import datetime
import os
import pathlib
import sys
import tempfile
from collections.abc import Iterator, Mapping
from typing import IO

import click

import moorage
from moorage import names
from moorage.ctl import exits, export_lines, progress, settings

# Seconds that an export may take where nobody says otherwise: as long as a server allows.
_LONGEST = 600.0


@click.command("export")
@click.argument("target", metavar="FILE|-", type=click.Path(dir_okay=False, allow_dash=True))
@click.option("--all-vrfs", is_flag=True, help="Export every VRF, each as it is at one moment.")
@settings.after_command
def command(where: settings.Settings, target: str, all_vrfs: bool) -> None:
    """Write everything of a VRF into a file: what is configured, and what is held.

    \b
      moorctl export default.jsonl
      moorctl --vrf blue export - | gzip > blue.jsonl.gz
      moorctl export --all-vrfs everything.jsonl

    It is as it was at one moment, whatever is assigned meanwhile: the configuration and rules of
    the VRF, nodes, pools, reservations, blocks of nodes, sticky addresses, and every address with
    its attachment, workload and labels. `moorctl import moorage` reads it, on any server.

    Left out is what only this server's database has: history, changes and events, positions of
    watches, generations, tombstones, cool-downs, quarantines, times of assignment.
    To have the same database again, with all of these, take `moorage-server db dump` instead.

    FILE appears when it is complete, readable by its owner alone. A last line tells counts and a
    checksum, so that a file which was cut off or changed is refused. Without --timeout, ten minutes
    are allowed for each VRF.
    """
    with where.connected("export") as client, _opened(target) as file:
        counts = _export(client, where, file, all_vrfs=all_vrfs)
    click.echo(f"exported {_counted(counts)}", err=target == "-")


def _export(
    client: moorage.Client, where: settings.Settings, file: IO[bytes], *, all_vrfs: bool
) -> Mapping[str, int]:
    """Write all lines; return how many there are of each kind."""
    vrfs = [names.id_of(each.name) for each in client.vrfs()] if all_vrfs else [where.vrf]
    is_said = where.origin("timeout").rank > settings.Rank.DEFAULT
    sheet = export_lines.Sheet()
    file.write(sheet.header(vrfs, datetime.datetime.now(datetime.UTC)))
    for vrf in vrfs:
        parts = client.export_vrf(vrf=vrf, timeout=where.timeout if is_said else _LONGEST)
        with contextlib.closing(parts):  # type: ignore[type-var]
            for part in progress.exported(parts, f"vrf/{vrf} exported"):
                file.writelines(sheet.lines(part))
    file.write(sheet.end())
    return sheet.counts


@contextlib.contextmanager
def _opened(target: str) -> Iterator[IO[bytes]]:
    """Give what is written to."""
    if target == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    path = pathlib.Path(target)
    # A pipe or a device is there to be written to, and nothing may take its place.
    is_replaced = path.is_file() or not path.exists()
    try:
        with _replaced(path.resolve()) if is_replaced else path.open("wb") as file:
            yield file
    except OSError as error:
        raise exits.refused(f"cannot write {target}: {error.strerror}") from error


@contextlib.contextmanager
def _replaced(path: pathlib.Path) -> Iterator[IO[bytes]]:
    """Give a file that is in its place when all is written, or not at all."""
    with tempfile.NamedTemporaryFile(
        dir=path.parent, prefix=f".{path.name}.", delete=False
    ) as file:
        written = pathlib.Path(file.name)
        with _removed_unless_done(written):
            yield file.file
            file.flush()
            os.fsync(file.fileno())
            written.replace(path)


@contextlib.contextmanager
def _removed_unless_done(path: pathlib.Path) -> Iterator[None]:
    try:
        yield
    except BaseException:
        path.unlink()
        raise


def _counted(counts: Mapping[str, int]) -> str:
    told = collections.Counter(counts)
    words = {
        export_lines.VRF: ("VRF", "VRFs"),
        export_lines.NODE: ("node", "nodes"),
        export_lines.POOL: ("pool", "pools"),
        export_lines.RESERVATION: ("reservation", "reservations"),
        export_lines.BLOCK: ("block of a node", "blocks of nodes"),
        export_lines.STICKY_ADDRESS: ("sticky address", "sticky addresses"),
        export_lines.ALLOCATION: ("allocation", "allocations"),
    }
    return ", ".join(f"{told[kind]} {words[kind][told[kind] != 1]}" for kind in words)
