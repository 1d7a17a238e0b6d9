"""`moorage-server doctor`: whether a database is fit to keep addresses."""

import subprocess

from harness import postgres, serving


def doctor(url: str) -> "subprocess.CompletedProcess[str]":
    """What it says of a database, as the installed program."""
    command = [str(serving.PROGRAM), "doctor", "--database-url", url]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def lines(told: "subprocess.CompletedProcess[str]") -> dict[str, str]:
    """The grade of each thing that was looked at."""
    rows = [line for line in told.stdout.splitlines() if not line.startswith(" ")]
    wide = max(line.index("  ", 7) for line in rows)
    return {line[7:wide].strip(): line[:5].strip() for line in rows}


def test_what_servers_use_is_fit(database: postgres.Database) -> None:
    database.set("synchronous_commit", "on")
    told = doctor(database.service_url)
    found = lines(told)
    wrong = {about for about, grade in found.items() if grade == "WRONG"}
    # The tests' own cluster writes to no disk.
    assert wrong <= {"fsync"}
    assert found["schema"] == found["history"] == found["role"] == "ok"
    assert told.returncode == int(bool(wrong))


def test_what_is_wrong_is_told_with_what_to_do(database: postgres.Database) -> None:
    database.set("synchronous_commit", "off")
    database.set("default_transaction_read_only", "on")
    told = doctor(database.owner_url)
    found = lines(told)
    wrong = {"synchronous_commit", "writes", "history", "schema's objects"}
    assert wrong <= {about for about, grade in found.items() if grade == "WRONG"}
    assert "→ nobody can trust a history that servers can change" in told.stdout
    assert told.returncode == 1


def test_a_database_that_cannot_be_asked_is_told(database: postgres.Database) -> None:
    told = doctor("postgresql+psycopg://moorage_service@127.0.0.1:1/moorage")
    assert told.returncode == 1
    assert told.stdout == ""
    assert told.stderr.startswith("moorage-server: the database cannot be asked: ")
    assert "refused" in told.stderr
