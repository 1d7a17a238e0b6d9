"""What is found wrong with a database, fact by fact."""

import dataclasses
from typing import Any

import pytest

from moorage_server.domain import diagnosis
from moorage_server.domain.diagnosis import Grade

SOUND = diagnosis.Facts(
    version="18.6",
    version_number=180006,
    encoding="UTF8",
    misfit="",
    read_only=False,
    role="moorage_service",
    is_superuser=False,
    may_create=False,
    may_change_history=False,
    fsync=True,
    full_page_writes=True,
    checksums=True,
    autovacuum=True,
    durability="sync",
    synchronous_commit="on",
    connections=97,
    needed=27,
    encrypted=True,
    local=False,
    seconds_ahead=0.1,
    oldest_row=1000,
    kept_wal=0,
)


def test_a_sound_database_is_told_as_such() -> None:
    found = list(diagnosis.examine(SOUND))
    assert {each.grade for each in found} == {Grade.OK}
    assert not any(each.advice for each in found)
    assert len({each.about for each in found}) == len(found)


@pytest.mark.parametrize(
    ("fact", "value", "about", "grade"),
    [
        ("version_number", 149999, "PostgreSQL", Grade.WRONG),
        ("misfit", "run migrate", "schema", Grade.WRONG),
        ("read_only", True, "writes", Grade.WRONG),
        ("encoding", "LATIN1", "encoding", Grade.WRONG),
        ("is_superuser", True, "role", Grade.WRONG),
        ("may_create", True, "schema's objects", Grade.WRONG),
        ("may_change_history", True, "history", Grade.WRONG),
        ("encrypted", False, "way there", Grade.NOTE),
        ("fsync", False, "fsync", Grade.WRONG),
        ("full_page_writes", False, "full_page_writes", Grade.NOTE),
        ("synchronous_commit", "off", "synchronous_commit", Grade.WRONG),
        ("durability", "local", "durability", Grade.NOTE),
        ("checksums", False, "data checksums", Grade.NOTE),
        ("connections", 26, "connections", Grade.WRONG),
        ("autovacuum", False, "autovacuum", Grade.WRONG),
        ("oldest_row", 1_000_000_000, "oldest row", Grade.WRONG),
        ("kept_wal", 10 * 1024**3, "kept WAL", Grade.WRONG),
        ("seconds_ahead", -5.0, "clock", Grade.NOTE),
    ],
)
def test_each_fact_is_judged_alone(fact: str, value: object, about: str, grade: Grade) -> None:
    changed: dict[str, Any] = {fact: value}
    facts = dataclasses.replace(SOUND, **changed)
    [bad] = [each for each in diagnosis.examine(facts) if each.grade is not Grade.OK]
    assert (bad.about, bad.grade) == (about, grade)
    assert bad.advice


def test_a_database_without_a_network_need_not_encrypt() -> None:
    facts = dataclasses.replace(SOUND, encrypted=False, local=True)
    assert {each.grade for each in diagnosis.examine(facts)} == {Grade.OK}
