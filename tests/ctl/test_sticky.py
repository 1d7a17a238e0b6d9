"""moorctl sticky: what is kept for owners is listed and given up."""

import json

import moorage
from ctl import program
from harness.calls import attachment, create_pool, want
from harness.postgres import Database


def keep(client: moorage.Client, database: Database, owner: str) -> str:
    """An address that is kept for an owner."""
    (held,) = client.assign(attachment(owner), [want()], owner_key=owner)
    database.execute("UPDATE attachments SET sticky_seconds = 600")
    client.release(attachment(owner))
    return held.address


def test_what_is_kept_is_listed_and_given_up(
    moorctl: program.Moorctl, client: moorage.Client, database: Database
) -> None:
    create_pool(client, "a", "10.0.0.0/24")
    first, second = (keep(client, database, owner) for owner in ("db-0", "db-1"))
    header, *rows = moorctl.must("sticky", "list").splitlines()
    assert header.split() == ["ADDRESS", "POOL", "OWNER", "NETWORK", "INTERFACE", "EXPIRES"]
    assert [row.split()[:5] for row in rows] == [
        [first, "a", "db-0", "pods", "eth0"],
        [second, "a", "db-1", "pods", "eth0"],
    ]
    listed = moorctl.must("sticky", "list", "--owner", "db-1", "-o", "json").splitlines()
    assert [json.loads(line)["address"] for line in listed] == [second]
    assert moorctl.must("sticky", "delete", first) == f"stickyaddress/{first} deleted\n"
    again = moorctl("sticky", "delete", first)
    assert (again.code, "is not kept" in again.err) == (3, True)
    assert [each.address for each in client.sticky_addresses()] == [second]


def test_an_empty_listing_says_so(moorctl: program.Moorctl) -> None:
    ended = moorctl("sticky", "list")
    assert (ended.out, "no sticky addresses" in ended.err) == ("", True)
