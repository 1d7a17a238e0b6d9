"""What is told of a statement: what it does, to which table, and whether it may wait for a lock."""

import pytest

from moorage_server.storage import outlines, statements
from moorage_server.storage.outlines import Outline

STATEMENTS = [
    ("SELECT labels FROM nodes WHERE name = :node", "SELECT nodes", False),
    (
        "SELECT f.* FROM unnest(:a) AS a (b) JOIN LATERAL (SELECT FROM blocks)",
        "SELECT blocks",
        False,
    ),
    ("SELECT uid\nFROM attachments FOR UPDATE", "SELECT attachments", True),
    ("SELECT uid FROM attachments a FOR UPDATE OF a", "SELECT attachments", True),
    ("SELECT uid FROM vrfs FOR NO KEY UPDATE", "SELECT vrfs", True),
    ("SELECT uid FROM vrfs FOR KEY SHARE", "SELECT vrfs", True),
    ("SELECT cidr FROM blocks ORDER BY cidr FOR UPDATE SKIP LOCKED", "SELECT blocks", False),
    ("SELECT pg_advisory_xact_lock(1, 2)", "SELECT pg_advisory_xact_lock", True),
    (
        "SELECT pg_try_advisory_xact_lock(c, n) FROM unnest(:a) AS a (c, n)",
        "SELECT pg_try_advisory_xact_lock",
        False,
    ),
    ("INSERT INTO a (b) SELECT b FROM c ON CONFLICT DO UPDATE SET b = 1", "INSERT a", False),
    ("UPDATE blocks SET free = new.free FROM unnest(:a) AS new", "UPDATE blocks", False),
    ("DELETE FROM attachments WHERE uid IN (SELECT uid FROM b)", "DELETE attachments", False),
    (
        "WITH gone AS (DELETE FROM allocations) INSERT INTO events SELECT 1",
        "DELETE allocations",
        False,
    ),
    ("WITH found AS (SELECT 1 FROM blocks) SELECT * FROM found", "SELECT blocks", False),
    ("SELECT current_setting('fsync')", "SELECT", False),
    ("COMMIT", "COMMIT", False),
]


@pytest.mark.parametrize(("text", "summary", "waits"), STATEMENTS)
def test_the_outline_of_a_statement(text: str, summary: str, waits: bool) -> None:
    outline = Outline(text)
    assert (outline.summary, outline.waits) == (summary, waits)


def test_no_outline_is_made_where_nothing_is_traced(monkeypatch: pytest.MonkeyPatch) -> None:
    def made(text: str) -> Outline:
        raise AssertionError(text)

    monkeypatch.setattr(outlines, "Outline", made)
    monkeypatch.setattr(outlines, "_outline", made)
    # Listings and watches make theirs anew, each time.
    statement = statements.Statement("SELECT 1 FROM outlines_are_of_traces")
    with outlines.around(statement.text):
        pass
