"""Servers with one rule taken away each: what the chaos must find out.

A bug is one change in a copy of the server's modules; the server that has it is otherwise the one
that is installed.
"""

import dataclasses
import pathlib

from harness import variants


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Bug:
    """A line that is another one, and the kinds of faults under which that matters."""

    name: str
    module: str
    line: str
    instead: str
    faults: tuple[str, ...] = ("events rolled back", "server frozen")

    def seed(self, folder: pathlib.Path) -> pathlib.Path:
        """Makes a server that has it; returns where its modules are."""
        return variants.changed(folder / "seeded", self.module, self.line, self.instead)


BUGS = (
    Bug(
        name="a COMMIT whose answer is lost counts as done",
        module="storage/database.py",
        line="            raise _judged(judge(error), error) from error",
        instead="            return",
        faults=("cut, commit unsent",),
    ),
    Bug(
        name="a COMMIT whose answer is lost counts as not done",
        module="storage/errors.py",
        line="        Verdict.UNKNOWN: errors.OutcomeUnknown,",
        instead="        Verdict.UNKNOWN: errors.DatabaseUnavailable,",
        faults=("cut, commit told", "cut, commit sent"),
    ),
    Bug(
        name="a COMMIT does not wait for the disk",
        module="storage/database.py",
        line="SET LOCAL timezone = 'UTC';",
        instead="SET LOCAL timezone = 'UTC'; SET LOCAL synchronous_commit = off;",
        faults=("postgresql killed",),
    ),
    Bug(
        name="a demoted primary's connections are kept",
        module="storage/database.py",
        line="                if verdict in (Verdict.DEMOTED, Verdict.RECONNECT):",
        instead="                if verdict is Verdict.RECONNECT:",
        faults=("read only",),
    ),
    Bug(
        name="a tombstone fences nothing",
        module="domain/identity.py",
        line="        if not is_newer(request.attempt, record.stamp):",
        instead="        if record is None:",
    ),
    Bug(
        name="a release is not fenced by its generations",
        module="domain/identity.py",
        line="    if not request.generations:\n",
        instead="    if record.allocations:\n",
    ),
    Bug(
        name="a release is not fenced by when it began",
        module="domain/identity.py",
        line="    if record is None or is_older(request.attempt, record.stamp):",
        instead="    if record is None:",
    ),
    Bug(
        name="an assign is not held against what its attachment has",
        module="domain/identity.py",
        line="        raise errors.AttachmentChanged(held, **_facts(request.attachment))\n"
        "    return record.allocations",
        instead="        raise errors.AttachmentChanged(held, **_facts(request.attachment))\n"
        "    return ()",
    ),
    Bug(
        name="addresses do not cool down",
        module="domain/cooling.py",
        line="    return cooldown + 1 if cooldown else 0",
        instead="    return 0",
    ),
    Bug(
        name="every server counts seconds of its own",
        module="storage/ticks.py",
        line="WHERE tick = :seen",
        instead="WHERE tick >= :seen",
    ),
    Bug(
        name="a block is read and not locked",
        module="storage/looks.py",
        line='_locking(query, "FOR UPDATE SKIP LOCKED")',
        instead='_locking(query, "FOR KEY SHARE")',
    ),
    Bug(
        name="an assignment is not told of",
        module="storage/holdings.py",
        line="        {whose} FROM new\n)\nINSERT",
        instead="        {whose} FROM new WHERE position > 0\n)\nINSERT",
    ),
    Bug(
        name="a release is acknowledged and not done",
        module="storage/holdings.py",
        line="    removed = _RELEASE.run(connection, parameters)",
        instead="    removed = len(released)",
    ),
    Bug(
        name="the feed does not wait for those who drew lower numbers",
        module="storage/fence.py",
        line='    return bool(_SETTLED.value(connection, {"horizon": within.horizon}))',
        instead="    return True",
        faults=("commit delayed", "wire slow"),
    ),
    Bug(
        name="what is remembered of a VRF is trusted",
        module="storage/catalogs.py",
        line="if known is None or known.version != row.catalog_version or known.is_over(row.now):",
        instead="if known is None:",
        faults=("pool disabled", "reservation made and deleted"),
    ),
    Bug(
        name="what a refused request took stays taken",
        module="usecases/batch.py",
        line="    except (errors.IpamError, Awaited) as refusal:\n        on.undo()\n",
        instead="    except (errors.IpamError, Awaited) as refusal:\n        on.keep()\n",
    ),
    Bug(
        name="a disabled pool serves who names it",
        module="domain/catalog.py",
        line="        if each.pool.disabled:",
        instead="        if each.pool.disabled and each.affine:",
        faults=("pool disabled",),
    ),
    Bug(
        name="reserved addresses are given like others",
        module="domain/blocks.py",
        line="        if not self.free or not hidden.touches(addresses.Span.of(self.cidr)):",
        instead="        if self.free or not hidden:",
        faults=("reservation made and deleted", "events rolled back"),
    ),
    Bug(
        name="what is told of many events lacks the first",
        module="usecases/watch.py",
        line="vrf, after=cursor.revision, upto=upto)",
        instead="vrf, after=max(cursor.revision, min(cursor.revision + 1, upto - 1)), upto=upto)",
    ),
    Bug(
        name="an address goes back twice",
        module="domain/blocks.py",
        line="        return dataclasses.replace(self, free=(*self.free, ordinal))",
        instead="        return dataclasses.replace(self, free=(*self.free, ordinal, ordinal))",
    ),
    Bug(
        name="a quota is counted without its lock",
        module="storage/quotas.py",
        line="    return locks.take_each(connection, every, waiting=waiting)",
        instead="    return set(every)",
    ),
)
