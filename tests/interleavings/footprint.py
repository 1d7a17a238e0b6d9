"""What a statement touches, read from its text: which statements may swap places unnoticed.

Under READ COMMITTED a statement sees what was committed when it began, so an uncommitted
write is noticed by nobody except through its locks; it is COMMIT that shows it. Two
statements therefore conflict only where

* one locks what the other locks, and one of them not only shared; or
* one is a COMMIT and the other sees a table that it publishes.

Anything else may be swapped with the statement beside it: the same rows, the same locks
and the same answers result. The unit is a whole table (and one advisory lock), so this
errs on the side of conflict. What PostgreSQL touches for a constraint is added: a write
shares the rows it refers to, and a DELETE looks for the rows that refer to its own.

In a REPEATABLE READ transaction it is the first statement that sees, whatever that one
is, and it sees all tables: the others look at what was there then.
"""

import dataclasses
import re
from collections.abc import Mapping

from moorage_server.storage import tables

NOTHING: frozenset[str] = frozenset()
_PARAMETER = re.compile(r"%\(\w+\)s")
_TABLE = re.compile(r"\b(?:{})\b".format("|".join(tables.metadata.tables)))
_WRITTEN = re.compile(r"\b(?:INSERT INTO|UPDATE|DELETE FROM) (\w+)")
_DELETED = re.compile(r"\bDELETE FROM (\w+)")
_LOCKING = re.compile(r"\bFOR (NO KEY UPDATE|UPDATE|SHARE|KEY SHARE)(?: OF (\w+))?")

_REFERS = {
    name: {key.referred_table.name for key in table.foreign_key_constraints}
    for name, table in tables.metadata.tables.items()
}
_REFERRED = {name: {of for of, to in _REFERS.items() if name in to} for name in _REFERS}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Footprint:
    """Tables it `sees`, what it locks shared and alone, and, of COMMIT, what it `publishes`."""

    sees: frozenset[str] = NOTHING
    shares: frozenset[str] = NOTHING
    takes: frozenset[str] = NOTHING
    publishes: frozenset[str] = NOTHING

    def __or__(self, other: "Footprint") -> "Footprint":
        return Footprint(
            sees=self.sees | other.sees,
            shares=self.shares | other.shares,
            takes=self.takes | other.takes,
            publishes=self.publishes | other.publishes,
        )

    def conflicts(self, other: "Footprint") -> bool:
        """Whether it matters which of two neighbours comes first."""
        return bool(
            self.takes & (other.takes | other.shares)
            or self.shares & other.takes
            or self.publishes & other.sees
            or self.sees & other.publishes
        )

    def committed(self) -> "Footprint":
        """The COMMIT of a transaction that touched this: it lets go of its locks and publishes."""
        return Footprint(shares=self.shares, takes=self.takes, publishes=self.takes)

    def undone(self) -> "Footprint":
        """The ROLLBACK of a transaction that touched this: it lets go of its locks."""
        return Footprint(shares=self.shares, takes=self.takes)

    def of_snapshot(self, *, begins: bool) -> "Footprint":
        """The same in a transaction that sees one moment, where this `begins` it or goes on."""
        return dataclasses.replace(self, sees=frozenset(_REFERS) if begins else NOTHING)


NONE = Footprint()


def of(statement: str, parameters: Mapping[str, object]) -> Footprint:
    """The footprint of a statement; NONE where it touches nothing that is shared."""
    text = _PARAMETER.sub("?", " ".join(statement.split()))
    if "advisory" in text:
        return _advisory(text, parameters)
    sees = set(_TABLE.findall(text))
    takes, shares = set(_WRITTEN.findall(text)) & set(_REFERS), set()
    for table in takes & set(_DELETED.findall(text)):
        sees |= _REFERRED[table]
        takes = takes | _cascaded(table)
    for table in takes:
        shares |= _REFERS[table]
    for strength, alias in _LOCKING.findall(text):
        locked = {_aliased(alias, text)} if alias else set(_TABLE.findall(text))
        shares |= locked if strength.endswith("SHARE") else set()
        takes = takes | (set() if strength.endswith("SHARE") else locked)
    return Footprint(
        sees=frozenset(sees | shares), shares=frozenset(shares), takes=frozenset(takes)
    )


def _cascaded(table: str) -> set[str]:
    return {
        of
        for of in _REFERRED[table]
        for key in tables.metadata.tables[of].foreign_key_constraints
        if key.referred_table.name == table and key.ondelete == "CASCADE"
    }


def _aliased(alias: str, text: str) -> str:
    if alias in _REFERS:
        return alias
    found = re.search(rf"({_TABLE.pattern})(?: AS)? {alias}\b", text)
    assert found, f"which table is {alias}? {text}"
    return found[1]


def _advisory(text: str, parameters: Mapping[str, object]) -> Footprint:
    """Advisory locks are known by class and number, which the parameters tell."""
    if "classes" in parameters:
        columns = (_elements(parameters[name]) for name in ("classes", "numbers", "shared"))
        wanted = list(zip(*columns, strict=True))
    else:
        shared = "t" if "_shared" in text else "f"
        wanted = [(str(parameters["class"]), str(parameters["number"]), shared)]
    names = {(f"lock {kind} {number}", shared) for kind, number, shared in wanted}
    return Footprint(
        shares=frozenset(name for name, shared in names if shared == "t"),
        takes=frozenset(name for name, shared in names if shared == "f"),
    )


def _elements(array: object) -> list[str]:
    return [each.strip('"') for each in str(array).strip("{}").split(",")]
