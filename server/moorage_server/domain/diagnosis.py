"""Whether a database is fit to keep addresses: what was found, and what to do about it."""

import dataclasses
import enum
from collections.abc import Iterator
from typing import Final

OLDEST_POSTGRESQL: Final = 150000  # as server_version_num
CLOCKS_APART: Final = 5.0  # seconds
OLDEST_ROW: Final = 1_000_000_000  # transactions; at twice as many PostgreSQL stops writing
KEPT_WAL: Final = 10 * 1024**3  # bytes


# What nobody is served from while it is wrong, unless the operator says so: what was acknowledged
# would be lost by a crash, or could be changed afterwards.
UNSAFE: Final = frozenset({"role", "history", "fsync", "synchronous_commit"})


class Grade(enum.StrEnum):
    """How bad something is."""

    OK = "ok"
    NOTE = "note"
    WRONG = "WRONG"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was looked at; `advice` is empty where nothing is to be done."""

    about: str
    grade: Grade
    found: str
    advice: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a database says of itself, to the role that servers use."""

    version: str
    version_number: int
    encoding: str
    misfit: str  # what is wrong with the schema, for this server
    read_only: bool
    role: str
    is_superuser: bool
    may_create: bool  # tables and the like, where ours are
    may_change_history: bool
    fsync: bool
    full_page_writes: bool
    checksums: bool
    autovacuum: bool
    durability: str
    synchronous_commit: str
    connections: int  # that this role may have, with others where they share them
    needed: int  # that a server may have, all its processes together
    encrypted: bool
    local: bool  # reached without a network
    seconds_ahead: float  # of this machine's clock
    oldest_row: int  # in transactions
    kept_wal: int  # bytes that a slot keeps, at the most


def examine(facts: Facts) -> Iterator[Finding]:
    """All that was looked at, in the order in which it matters."""
    yield from _fitness(facts)
    yield from _rights(facts)
    yield from _lasting(facts)
    yield from _upkeep(facts)


def unsafe(facts: Facts) -> list[Finding]:
    """What nobody is to be served from."""
    return [each for each in examine(facts) if each.about in UNSAFE and each.grade is Grade.WRONG]


def _fitness(facts: Facts) -> Iterator[Finding]:
    yield _judge(
        "PostgreSQL",
        facts.version,
        ok=facts.version_number >= OLDEST_POSTGRESQL,
        advice="15 is the oldest that is tried; upgrade it",
    )
    yield _judge(
        "schema",
        facts.misfit or "fits this server",
        ok=not facts.misfit,
        advice="nothing is served from it until it fits",
    )
    yield _judge(
        "writes",
        "refused" if facts.read_only else "taken",
        ok=not facts.read_only,
        advice="this is a standby, or was made read only; name all hosts in the URL",
    )
    yield _judge(
        "encoding",
        facts.encoding,
        ok=facts.encoding == "UTF8",
        advice="names of pods and labels are in UTF-8; make the database anew with it",
    )


def _rights(facts: Facts) -> Iterator[Finding]:
    yield _judge(
        "role",
        f"{facts.role}, a superuser" if facts.is_superuser else facts.role,
        ok=not facts.is_superuser,
        advice="no rule holds against a superuser; serve as moorage_service",
    )
    yield _judge(
        "schema's objects",
        "may be made by the role" if facts.may_create else "may not be made by the role",
        ok=not facts.may_create,
        advice="REVOKE CREATE ON SCHEMA public FROM PUBLIC, and serve as moorage_service",
    )
    yield _judge(
        "history",
        "may be changed by the role" if facts.may_change_history else "may only be added to",
        ok=not facts.may_change_history,
        advice="nobody can trust a history that servers can change; serve as moorage_service",
    )
    yield _judge(
        "way there",
        "no network" if facts.local else "encrypted" if facts.encrypted else "plain text",
        ok=facts.local or facts.encrypted,
        advice="the password and all addresses can be read; sslmode=verify-full in the URL",
        otherwise=Grade.NOTE,
    )


def _lasting(facts: Facts) -> Iterator[Finding]:
    yield _judge_switch(
        "fsync", facts.fsync, advice="a crash loses or garbles what was acknowledged; set it on"
    )
    yield _judge_switch(
        "full_page_writes",
        facts.full_page_writes,
        advice="a crash garbles tables, unless the storage never writes half a page; set it on",
        otherwise=Grade.NOTE,
    )
    yield _judge(
        "synchronous_commit",
        facts.synchronous_commit,
        ok=facts.synchronous_commit != "off",
        advice="a crash loses what was acknowledged, and addresses have two holders; set it on",
    )
    yield _judge(
        "durability",
        facts.durability,
        ok=facts.durability != "local",
        advice="what is acknowledged is lost with the primary; name synchronous standbys",
        otherwise=Grade.NOTE,
    )
    yield _judge_switch(
        "data checksums",
        facts.checksums,
        advice="a disk that lies is not noticed; pg_checksums --enable while it is down",
        otherwise=Grade.NOTE,
    )


def _upkeep(facts: Facts) -> Iterator[Finding]:
    yield _judge(
        "connections",
        f"{facts.connections}; this server may have {facts.needed}",
        ok=facts.connections >= facts.needed,
        advice="raise max_connections, or the limit of the role or database, to all servers'",
    )
    yield _judge_switch(
        "autovacuum",
        facts.autovacuum,
        advice="tables grow, plans get worse, and at last nothing can be written; set it on",
    )
    yield _judge(
        "oldest row",
        f"{facts.oldest_row:,} transactions",
        ok=facts.oldest_row < OLDEST_ROW,
        advice="something keeps vacuum from its work: an old transaction, a slot; look for it",
    )
    yield _judge(
        "kept WAL",
        f"{facts.kept_wal / 1024**3:.1f} GiB",
        ok=facts.kept_wal < KEPT_WAL,
        advice="a slot that nobody reads fills the disk; set max_slot_wal_keep_size, or drop it",
    )
    yield _judge(
        "clock",
        f"{facts.seconds_ahead:+.1f} s from the database's",
        ok=abs(facts.seconds_ahead) < CLOCKS_APART,
        advice="no address depends on it, but the times in logs do; set both by NTP",
        otherwise=Grade.NOTE,
    )


def _judge_switch(
    about: str, is_on: bool, *, advice: str, otherwise: Grade = Grade.WRONG
) -> Finding:
    return _judge(about, "on" if is_on else "off", ok=is_on, advice=advice, otherwise=otherwise)


def _judge(
    about: str, found: str, *, ok: bool, advice: str, otherwise: Grade = Grade.WRONG
) -> Finding:
    if ok:
        return Finding(about=about, grade=Grade.OK, found=found)
    return Finding(about=about, grade=otherwise, found=found, advice=advice)
