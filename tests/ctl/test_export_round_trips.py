"""moorctl export and import moorage: what one server has, another has as well."""

import os
import pathlib
import subprocess
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

import moorage
from ctl import estates, program
from harness import calls, digest, eventually, invariants, postgres, serving
from moorage.ctl import exits
from moorage.v1 import resources_pb2

# The last address of the export waits for a lock.
GUARD = """
CREATE FUNCTION wait_for_lock() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    PERFORM pg_advisory_xact_lock(1);
    RETURN NEW;
END $$;
CREATE TRIGGER guard BEFORE INSERT ON allocations FOR EACH ROW
    WHEN (NEW.address = 'fd00::1') EXECUTE FUNCTION wait_for_lock()
"""
WAITING = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND wait_event = 'advisory'
"""

KINDS = {
    "Vrf": 1,
    "Node": 1,
    "Pool": 3,
    "Reservation": 1,
    "Block": 2,
    "StickyAddress": 2,
    "Allocation": 6,
}


@pytest.fixture
def other(cluster: postgres.Postgres) -> Iterator[serving.Serving]:
    """Another server with a database of its own."""
    with cluster.database() as database, serving.in_process(database) as running:
        yield running


@pytest.fixture
def there(other: serving.Serving, installed: bool) -> program.Moorctl:
    """The program, told to speak to that server."""
    return program.Moorctl(variables={"MOORAGE_SERVER": other.target}, installed=installed)


@pytest.fixture
def exported(
    moorctl: program.Moorctl, client: moorage.Client, tmp_path: pathlib.Path
) -> pathlib.Path:
    """An export of a VRF in which there is something of everything."""
    estates.fill(client, "blue")
    path = tmp_path / "blue.jsonl"
    told = moorctl.must("--vrf", "blue", "export", str(path))
    assert told == (
        "exported 1 VRF, 1 node, 3 pools, 1 reservation, 2 blocks of nodes, "
        "2 sticky addresses, 6 allocations\n"
    )
    return path


@pytest.mark.parametrize("installed", [True])
def test_an_export_of_the_copy_is_that_of_the_original(
    exported: pathlib.Path,
    there: program.Moorctl,
    other: serving.Serving,
    tmp_path: pathlib.Path,
) -> None:
    assert estates.lines_of(exported)[-1]["counts"] == KINDS
    arguments = ("--vrf", "blue", "import", "moorage", str(exported))
    before = digest.of(other.database)
    preview = there.must(*arguments)
    assert "vrf/blue to be created" in preview
    assert "6 addresses to adopt, 0 held already, 2 kept for owners" in preview
    assert digest.of(other.database) == before
    there.must(*arguments, "--apply")
    copy = tmp_path / "copy.jsonl"
    there.must("--vrf", "blue", "export", str(copy))
    assert estates.content(copy) == estates.content(exported)
    for ours, theirs in zip(estates.expiries(copy), estates.expiries(exported), strict=True):
        assert abs((ours - theirs).total_seconds()) < 5
    invariants.check(other.database)


def test_importing_again_changes_nothing(
    exported: pathlib.Path, there: program.Moorctl, other: serving.Serving
) -> None:
    arguments = ("--vrf", "green", "import", "moorage", str(exported), "--apply")
    there.must(*arguments)
    before = digest.of(other.database)
    again = there.must(*arguments)
    assert again.splitlines()[-1] == (
        "0 addresses adopted, 6 held already, 0 blocks in no pool, 0 conflicts; nothing to change"
    )
    assert digest.of(other.database) == before
    with moorage.Client(other.target) as client:
        assert [each.name for each in client.vrfs()] == ["vrfs/default", "vrfs/green"]


def test_an_import_that_was_killed_goes_on(
    exported: pathlib.Path, there: program.Moorctl, other: serving.Serving, tmp_path: pathlib.Path
) -> None:
    arguments = ("--vrf", "blue", "import", "moorage", str(exported), "--apply")
    other.database.execute(GUARD)
    with other.database.connect(other.database.admin_url) as holder:
        holder.execute(sa.text("SELECT pg_advisory_lock(1)"))
        with subprocess.Popen(
            [program.PROGRAM, *arguments], env=there.environment(), stdout=subprocess.DEVNULL
        ) as running:
            eventually.until(lambda: other.database.scalar(WAITING), seconds=60)
            running.kill()
        assert 0 < int(str(other.database.scalar("SELECT count(*) FROM blocks"))) < 5
    other.database.execute("DROP TRIGGER guard ON allocations")
    told = there.must(*arguments)
    assert not told.startswith("vrf/blue created")
    copy = tmp_path / "copy.jsonl"
    there.must("--vrf", "blue", "export", str(copy))
    assert estates.content(copy) == estates.content(exported)
    invariants.check(other.database)


def test_every_conflict_is_told_and_nothing_is_changed(
    exported: pathlib.Path, there: program.Moorctl, other: serving.Serving
) -> None:
    with moorage.Client(other.target) as client:
        client.create_vrf("blue")
        pool = resources_pb2.Pool(cidr="10.0.0.0/24", block_size=26)
        client.create_pool("web", pool, vrf="blue")
        client.create_pool("wide", resources_pb2.Pool(cidr="10.9.0.0/24"), vrf="blue")
        for address in ("10.0.0.5", "10.0.0.6"):
            one = [calls.fixed(address)]
            client.assign(calls.attachment(f"x-{address}"), one, vrf="blue")
    before = digest.of(other.database)
    ended = there("--vrf", "blue", "import", "moorage", str(exported), "--apply")
    assert ended.code == exits.Exit.CONFLICT
    assert digest.of(other.database) == before
    assert "pool/web is there, with another " in ended.out
    assert "pool/old conflict: 10.9.0.0/26 overlaps 10.9.0.0/24 of pool wide" in ended.out
    for address in ("10.0.0.5", "10.0.0.6"):
        assert f"  conflict: {address} is held by container x-{address} of network" in ended.out
    assert "nothing was changed" in ended.err


def test_what_a_pool_does_not_give_is_a_conflict_before_anything_is_changed(
    moorctl: program.Moorctl,
    client: moorage.Client,
    there: program.Moorctl,
    other: serving.Serving,
    tmp_path: pathlib.Path,
) -> None:
    client.create_vrf("blue")
    client.create_pool("web", resources_pb2.Pool(cidr="10.0.0.0/24", block_size=26), vrf="blue")
    client.assign(
        calls.attachment("c1"),
        [calls.fixed("10.0.0.5")],
        owner_key="db-0",
        sticky=estates.HOUR,
        vrf="blue",
    )
    client.release(calls.attachment("c1"), vrf="blue")
    pool = resources_pb2.Pool(name="vrfs/blue/pools/web", excluded_ranges=["10.0.0.5"])
    client.update_pool(pool, update_mask=["excluded_ranges"])
    path = tmp_path / "blue.jsonl"
    moorctl.must("--vrf", "blue", "export", str(path))
    before = digest.of(other.database)
    ended = there("--vrf", "blue", "import", "moorage", str(path), "--apply")
    assert ended.code == exits.Exit.CONFLICT
    assert "  conflict: 10.0.0.5 is excluded from pool web, or its gateway" in ended.out
    assert digest.of(other.database) == before


def test_all_vrfs_go_into_one_file_and_come_back(
    exported: pathlib.Path,
    moorctl: program.Moorctl,
    there: program.Moorctl,
    client: moorage.Client,
    tmp_path: pathlib.Path,
) -> None:
    calls.create_pool(client, "a", "10.0.0.0/24")
    calls.assign(client, "c1", node="n1")
    every, copy = tmp_path / "every.jsonl", tmp_path / "copy.jsonl"
    moorctl.must("export", "--all-vrfs", str(every))
    refused = there("import", "moorage", str(every))
    assert refused.code == exits.Exit.USAGE
    assert f"{every}, line 1: vrfs: has 2 VRFs; import them by --all-vrfs" in refused.err
    told = there.must("import", "moorage", "--all-vrfs", str(every), "--apply")
    assert "vrf/blue:\n" in told
    there.must("export", "--all-vrfs", str(copy))
    assert estates.content(copy) == estates.content(every)


def test_standard_output_and_input_will_do(
    exported: pathlib.Path, moorctl: program.Moorctl, there: program.Moorctl
) -> None:
    ended = moorctl("--vrf", "blue", "export", "-")
    assert (ended.code, ended.err[:14]) == (0, "exported 1 VRF")
    told = there.must("--vrf", "blue", "import", "moorage", "-", "--apply", stdin=ended.out)
    assert "6 addresses adopted" in told


def test_what_is_no_file_is_written_to_and_stays(
    moorctl: program.Moorctl, tmp_path: pathlib.Path
) -> None:
    pipe, link, linked = (tmp_path / name for name in ("pipe", "link", "linked"))
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE) as reader:
        try:
            moorctl.must("export", str(pipe))
            assert pipe.is_fifo()
            said, _ = reader.communicate(timeout=30)
        finally:
            reader.kill()
    assert b'"kind":"End"' in said
    linked.write_text("of before")
    link.symlink_to(linked)
    moorctl.must("export", str(link))
    assert link.is_symlink()
    assert estates.lines_of(linked)[-1]["kind"] == "End"


def test_a_failed_export_leaves_no_file(moorctl: program.Moorctl, tmp_path: pathlib.Path) -> None:
    (tmp_path / "blue.jsonl").write_text("of before")
    ended = moorctl("--vrf", "nowhere", "export", str(tmp_path / "blue.jsonl"))
    assert ended.code == exits.Exit.NOT_FOUND
    assert [each.name for each in tmp_path.iterdir()] == ["blue.jsonl"]
    assert (tmp_path / "blue.jsonl").read_text() == "of before"
