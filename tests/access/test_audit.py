"""Every change names who made it, in its own transaction; who may not know of others is told none.

What each method needs before it changes something is written down here, by hand.
"""

import dataclasses
import itertools
from collections.abc import Callable, Iterator
from typing import Any, Final

import grpc
import pytest

import moorage
from harness import calls, digest, postgres, races, reconciling, serving
from harness.certificates import Authority, Paper
from harness.tokens import Signer
from moorage.v1 import (
    admin_service_pb2,
    allocation_service_pb2,
    allocation_service_pb2_grpc,
    audit_pb2,
    history_pb2,
    resources_pb2,
)
from moorage_server import restore
from moorage_server.api import authorization

VRF: Final = "vrfs/default"
# These change nothing; a method that is neither here nor below fails the test.
READING: Final = ("Get", "List", "Explain", "Watch", "Forecast", "Check", "Export")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Ground:
    """Somebody who may do everything, and what it does it to."""

    client: moorage.Client
    database: postgres.Database


@dataclasses.dataclass(frozen=True, kw_only=True)
class Deed:
    """What is there before, and a call that changes it; a dry one changes nothing."""

    do: Callable[[Ground], object]
    before: Callable[[Ground], object] = lambda _: None
    dry: Callable[[Ground], object] | None = None


def _pool(ground: Ground, name: str = "p", cidr: str = "10.0.0.0/24", **fields: Any) -> None:  # noqa: ANN401 - of any field
    calls.create_pool(ground.client, name, cidr, **fields)


def _held(ground: Ground) -> None:
    _pool(ground)
    calls.assign(ground.client, "c1", node="n1")


def _suspect(ground: Ground) -> None:
    _held(ground)
    reconciling.reconcile(ground.client)
    reconciling.pass_time(ground.database)


def _given_up(ground: Ground) -> None:
    (kept,) = ground.client.sticky_addresses()
    ground.client.delete_sticky_address(kept.address)


def _kept(ground: Ground) -> None:
    _pool(ground)
    ground.client.assign(calls.attachment("c1"), [calls.want()], owner_key="db-0", sticky=3600)
    calls.release(ground.client, "c1")


def _adoption(*, dry: bool = False) -> Callable[[Ground], object]:
    adopted = admin_service_pb2.AdoptedAddress(
        address="10.0.0.7", attachment=calls.attachment("old")
    )
    return lambda ground: ground.client.adopt_block(
        "10.0.0.0/26", [adopted], node="n1", validate_only=dry
    )


def _drained(ground: Ground) -> None:
    _pool(ground)
    ground.client.drain_pool("p")


def _changed(ground: Ground, *, dry: bool = False) -> None:
    pool = resources_pb2.Pool(name=f"{VRF}/pools/p", priority=5)
    ground.client.update_pool(pool, update_mask=["priority"], validate_only=dry)


def _reservation(ground: Ground, text: str = "") -> None:
    made = resources_pb2.Reservation(cidrs=["10.0.0.0/30"], description=text)
    ground.client.create_reservation("r", made)


def _described(ground: Ground) -> None:
    changed = resources_pb2.Reservation(name=f"{VRF}/reservations/r", description="quiet")
    ground.client.update_reservation(changed, update_mask=["description"])


def _named(ground: Ground, *, dry: bool = False) -> None:
    changed = resources_pb2.Vrf(name=f"{VRF}", description="all")
    ground.client.update_vrf(changed, update_mask=["description"], validate_only=dry)


def _node(ground: Ground, *, dry: bool = False) -> None:
    node = resources_pb2.Node(name=f"{VRF}/nodes/n1", labels={"zone": "east"})
    ground.client.upsert_node(node, validate_only=dry)


DEEDS: Final[dict[str, Deed]] = {
    "AssignAddresses": Deed(before=_pool, do=lambda ground: calls.assign(ground.client)),
    "ReleaseAddresses": Deed(before=_held, do=lambda ground: calls.release(ground.client)),
    "ReconcileNode": Deed(before=_suspect, do=lambda ground: reconciling.reconcile(ground.client)),
    "DeleteStickyAddress": Deed(before=_kept, do=_given_up),
    "CreatePool": Deed(
        do=_pool,
        dry=lambda ground: ground.client.create_pool(
            "p", resources_pb2.Pool(cidr="10.0.0.0/24"), validate_only=True
        ),
    ),
    "UpdatePool": Deed(before=_pool, do=_changed, dry=lambda ground: _changed(ground, dry=True)),
    "DeletePool": Deed(before=_pool, do=lambda ground: ground.client.delete_pool("p")),
    "DrainPool": Deed(before=_pool, do=lambda ground: ground.client.drain_pool("p")),
    "ActivatePool": Deed(
        before=_drained,
        do=lambda ground: ground.client.activate_pool("p"),
    ),
    "CreateReservation": Deed(do=_reservation),
    "UpdateReservation": Deed(before=_reservation, do=_described),
    "DeleteReservation": Deed(
        before=_reservation, do=lambda ground: ground.client.delete_reservation("r")
    ),
    "UpsertNode": Deed(do=_node, dry=lambda ground: _node(ground, dry=True)),
    "DeleteNode": Deed(before=_node, do=lambda ground: ground.client.delete_node("n1")),
    "CreateVrf": Deed(do=lambda ground: ground.client.create_vrf("blue")),
    "UpdateVrf": Deed(do=_named, dry=lambda ground: _named(ground, dry=True)),
    "DeleteVrf": Deed(
        before=lambda ground: ground.client.create_vrf("blue"),
        do=lambda ground: ground.client.delete_vrf("blue"),
    ),
    "AdoptBlock": Deed(before=_pool, do=_adoption(), dry=_adoption(dry=True)),
    "LiftQuarantine": Deed(
        before=lambda ground: restore.check(ground.database.service_url),
        do=lambda ground: ground.client.lift_quarantine("all is well"),
    ),
}
EVENTFUL: Final = {"AssignAddresses", "ReleaseAddresses", "ReconcileNode", "AdoptBlock"}


@pytest.fixture
def paper(authority: Authority) -> Paper:
    """The certificate of somebody who may do everything."""
    return authority.sign("op", common_name="op")


@pytest.fixture(params=["certificate", "token", "nothing"])
def known_by(
    request: pytest.FixtureRequest, database: postgres.Database
) -> Iterator[tuple[Ground, tuple[str, ...]]]:
    """A caller by each of the ways to be known, and what is to be written down of it."""
    if request.param == "certificate":
        secured = request.getfixturevalue("secured")
        paper, authority = (request.getfixturevalue(each) for each in ("paper", "authority"))
        files = paper.trusting(authority.ca)
        with moorage.Client(secured.target, tls=files) as client:
            told = ("op", "operator", "CERTIFICATE", f"serial={paper.serial:x}", "ipv4:127.0.0.1")
            yield Ground(client=client, database=database), told
    elif request.param == "token":
        bearing, signer = (request.getfixturevalue(each) for each in ("bearing", "signer"))
        told = ("op", "operator", "TOKEN", "jti=id-of-op", "ipv4:127.0.0.1")
        yield Ground(client=bearing(signer.sign("op")), database=database), told
    else:
        with (
            serving.in_process(database) as running,
            moorage.Client(running.target) as client,
        ):
            told = ("anonymous", "operator", "NONE", "", "ipv4:127.0.0.1")
            yield Ground(client=client, database=database), told


_WHO: Final = "a.name, a.role, a.proof, a.credential, a.source"
_CHANGES: Final = (
    f"SELECT c.method, c.request_id, {_WHO} FROM changes c JOIN actors a ON a.uid = c.actor_uid"
    " WHERE c.change_id > :change"
)
_EVENTS: Final = (
    f"SELECT e.cause, e.request_id, {_WHO} FROM events e LEFT JOIN actors a ON a.uid = e.actor_uid"
    " WHERE e.event_id > :event"
)


def newest(database: postgres.Database) -> dict[str, object]:
    """How far changes and events have come."""
    return {
        "change": database.scalar("SELECT coalesce(max(change_id), 0) FROM changes"),
        "event": database.scalar("SELECT coalesce(max(event_id), 0) FROM events"),
    }


def test_every_method_that_changes_something_is_here() -> None:
    methods = {each.rpartition("/")[2] for each in authorization.TABLE}
    assert DEEDS.keys() == {each for each in methods if not each.startswith(READING)}


@pytest.mark.parametrize("method", DEEDS)
def test_a_change_names_who_made_it(known_by: tuple[Ground, tuple[str, ...]], method: str) -> None:
    ground, told = known_by
    deed = DEEDS[method]
    deed.before(ground)
    since = newest(ground.database)
    deed.do(ground)
    noted = ground.database.rows(_CHANGES, change=since["change"])
    events = ground.database.rows(_EVENTS, event=since["event"])
    assert bool(events) == (method in EVENTFUL)
    assert events or noted
    assert {each[0] for each in noted} <= {method}
    assert {each[2:] for each in (*noted, *events)} == {told}
    # All of one call are of one request.
    assert len({each[1] for each in (*noted, *events)} - {""}) == 1


@pytest.mark.parametrize("method", [method for method, deed in DEEDS.items() if deed.dry])
def test_what_is_only_tried_is_not_noted(
    secured: serving.Serving, calling: Callable[..., moorage.Client], method: str
) -> None:
    ground = Ground(client=calling("op", common_name="op"), database=secured.database)
    DEEDS[method].before(ground)
    before = digest.of(ground.database)
    dry = DEEDS[method].dry
    assert dry is not None
    dry(ground)
    assert digest.of(ground.database) == before


@pytest.mark.parametrize("method", DEEDS)
def test_a_change_that_fails_in_the_end_leaves_neither_itself_nor_a_note(
    secured: serving.Serving, authority: Authority, paper: Paper, method: str
) -> None:
    files, database = paper.trusting(authority.ca), secured.database
    with moorage.Client(secured.target, tls=files) as patient:
        DEEDS[method].before(Ground(client=patient, database=database))
    before = _without_actors(database)
    # Both are there until the COMMIT, which fails.
    database.execute(
        "CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'not so'; END $$"
    )
    for table in ("changes", "allocations"):
        database.execute(
            f"CREATE CONSTRAINT TRIGGER fails AFTER INSERT OR DELETE ON {table}"
            " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION fail()"
        )
    try:
        # What became of it is not known to the server, so it is sent again until time is up.
        with moorage.Client(secured.target, timeout=1.5, tls=files) as client:
            ground = Ground(client=client, database=database)
            if method == "ReconcileNode":
                # A list is answered, with what could not be released.
                assert reconciling.reconcile(client).failures
            else:
                with pytest.raises(moorage.MoorageError):
                    DEEDS[method].do(ground)
    finally:
        # Whatever has been sent again by then ends before that, too.
        secured.stop()
        for table in ("changes", "allocations"):
            database.execute(f"DROP TRIGGER fails ON {table}")
        database.execute("DROP FUNCTION fail")
    assert _without_actors(database) == before


def _without_actors(database: postgres.Database) -> dict[str, object]:
    """Whoever tried is written down in a transaction of its own."""
    return {name: found for name, found in digest.of(database).items() if name != "actors"}


def test_a_refused_call_leaves_no_trace(
    secured: serving.Serving, calling: Callable[..., moorage.Client]
) -> None:
    client = calling("op", common_name="op")
    before = digest.of(secured.database)
    with pytest.raises(moorage.MoorageError):
        calls.assign(client)
    assert digest.of(secured.database) == before


def test_history_tells_who_assigned_and_who_released(
    secured: serving.Serving, authority: Authority, calling: Callable[..., moorage.Client]
) -> None:
    operator, reader = calling("op", common_name="op"), calling("eye", common_name="eye")
    calls.create_pool(operator, "p", "10.0.0.0/24")
    paper = authority.node("n1")
    with moorage.Client(secured.target, tls=paper.trusting(authority.ca)) as node:
        calls.assign(node, "c1", node="n1")
        calls.assign(node, "c2", node="n1")
    calls.release(operator, "c1")
    for told in (operator, reader):
        gone, held = told.history()
        assert (gone.assign_actor.name, gone.assign_actor.role) == ("system:node:n1", "node")
        assert gone.assign_actor.proof == audit_pb2.PROOF_CERTIFICATE
        assert gone.assign_actor.credential == f"serial={paper.serial:x}"
        assert gone.assign_actor.source == "ipv4:127.0.0.1"
        assert (gone.release_actor.name, gone.release_actor.role) == ("op", "operator")
        assert gone.release_actor.request_id != gone.assign_actor.request_id
        assert held.assign_actor.name == "system:node:n1"
        assert not held.HasField("release_actor")


def test_a_tenant_is_not_told_who_else_acts(
    secured: serving.Serving, calling: Callable[..., moorage.Client]
) -> None:
    operator, tenant = calling("op", common_name="op"), calling("shop", common_name="shop")
    calls.create_pool(operator, "p", "10.0.0.0/24")
    calls.assign(operator, "c1", namespace="shop")
    calls.release(operator, "c1")
    (told,) = tenant.history()
    assert told.allocation.attachment.container_id == "c1"
    assert not told.HasField("assign_actor")
    assert not told.HasField("release_actor")


def test_a_release_by_a_newer_sandbox_names_who_asked_for_that(
    secured: serving.Serving, authority: Authority, calling: Callable[..., moorage.Client]
) -> None:
    operator = calling("op", common_name="op")
    calls.create_pool(operator, "p", "10.0.0.0/24")
    pod = resources_pb2.Workload(node="n1", namespace="shop", pod="cart", pod_uid="u1")
    node = calling("n1", common_name="system:node:n1", of=["system:nodes"])
    operator.assign(calls.attachment("old"), [calls.want()], workload=pod)
    node.assign(calls.attachment("new"), [calls.want()], workload=pod)
    old, _ = operator.history()
    assert old.release_cause == history_pb2.ALLOCATION_EVENT_CAUSE_SUPERSEDED
    assert (old.assign_actor.name, old.release_actor.name) == ("op", "system:node:n1")


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("deploy-7/step.2", True),
        ("a" * 64, True),
        ("a" * 65, False),
        ("two words", False),
        ("", False),
    ],
)
def test_a_request_is_called_what_the_caller_calls_it(
    database: postgres.Database, given: str, kept: bool
) -> None:
    with serving.in_process(database) as running, moorage.Client(running.target) as client:
        calls.create_pool(client, "p", "10.0.0.0/24")
        with grpc.insecure_channel(running.target) as channel:
            stub = allocation_service_pb2_grpc.AllocationServiceStub(channel)
            request = allocation_service_pb2.AssignAddressesRequest(
                attachment=calls.attachment(), addresses=[calls.want()]
            )
            stub.AssignAddresses(request, metadata=(("x-request-id", given),))
        (held,) = client.history()
        assert (held.assign_actor.request_id == given) is kept
        assert held.assign_actor.request_id


def test_over_a_unix_socket_the_source_is_that(
    database: postgres.Database, tmp_path_factory: pytest.TempPathFactory
) -> None:
    listen = f"unix:{tmp_path_factory.mktemp('s')}/s"
    with (
        serving.in_process(database, listen=listen) as running,
        moorage.Client(running.target) as client,
    ):
        client.create_vrf("blue")
        (made,) = client.changes(vrf="blue")
        assert made.actor.source == "unix"
        assert (made.actor.name, made.actor.proof) == ("anonymous", audit_pb2.PROOF_NONE)


def test_by_certificate_and_token_both_are_noted(
    database: postgres.Database,
    both: dict[str, str],
    authority: Authority,
    paper: Paper,
    signer: Signer,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    token = tmp_path_factory.mktemp("token") / "token"
    token.write_text(signer.sign("op"))
    files = moorage.Tls(str(authority.ca), str(paper.certificate), str(paper.key), token=str(token))
    with (
        serving.in_process(database, access=both) as running,
        moorage.Client(running.target, tls=files) as client,
    ):
        client.create_vrf("blue")
        (made,) = client.changes(vrf="blue")
        assert made.actor.proof == audit_pb2.PROOF_CERTIFICATE_AND_TOKEN
        assert made.actor.credential == f"serial={paper.serial:x} jti=id-of-op"


@pytest.mark.parametrize("jti", ["line\nend", "a\u202eb", "x" * 300, "\ud800"])
def test_a_token_id_that_is_no_plain_text_is_noted_by_its_digest(
    tokened: serving.Serving,
    bearing: Callable[[str], moorage.Client],
    signer: Signer,
    jti: str,
) -> None:
    bearing(signer.sign("op", jti=jti)).create_vrf("blue")
    (credential,) = tokened.database.rows("SELECT DISTINCT credential FROM actors")
    assert str(credential[0]).startswith("sha256=")


def test_no_secret_is_in_any_row(
    tokened: serving.Serving, bearing: Callable[[str], moorage.Client], signer: Signer
) -> None:
    token = signer.sign("op")
    ground = Ground(client=bearing(token), database=tokened.database)
    _held(ground)
    _changed(ground)
    for table in ("actors", "changes", "events"):
        for row in tokened.database.rows(f"SELECT x.*::text FROM {table} x"):
            text = str(row)
            assert token not in text
            assert token.rpartition(".")[2] not in text
            assert "postgresql" not in text


def test_the_database_may_be_another_one_by_now(
    secured: serving.Serving, calling: Callable[..., moorage.Client]
) -> None:
    client = calling("op", common_name="op")
    calls.create_pool(client, "p", "10.0.0.0/24")
    calls.assign(client, "c1")
    # As after a restore: what was written down of callers is not there.
    secured.database.execute("DELETE FROM actors")
    calls.assign(client, "c2")
    calls.release(client, "c1")
    told = {each.allocation.attachment.container_id: each for each in client.history()}
    assert told["c2"].assign_actor.name == "op"
    assert told["c1"].release_actor.name == "op"


def test_actors_of_another_month_are_written_down_anew(
    secured: serving.Serving, calling: Callable[..., moorage.Client]
) -> None:
    client = calling("op", common_name="op")
    calls.create_pool(client, "p", "10.0.0.0/24")
    calls.assign(client, "c1")
    secured.database.execute("UPDATE actors SET month = month - interval '1 month'")
    calls.assign(client, "c2")
    assert secured.database.scalar("SELECT count(*) FROM actors") == 2
    assert {each.assign_actor.name for each in client.history()} == {"op"}


def test_many_new_callers_of_two_servers_at_once(
    database: postgres.Database, settings: dict[str, str], authority: Authority
) -> None:
    with (
        serving.in_process(database, access=settings) as one,
        serving.in_process(database, access=settings) as other,
    ):
        papers = [authority.node(f"n{at}") for at in range(8)]
        clients = [
            moorage.Client(each.target, tls=paper.trusting(authority.ca))
            for paper, each in itertools.product(papers, (one, other))
        ]
        op = authority.sign("op", common_name="op").trusting(authority.ca)
        with moorage.Client(one.target, tls=op) as operator:
            calls.create_pool(operator, "p", "10.0.0.0/16")
            races.held(
                races.at_once(
                    len(clients),
                    lambda at: calls.assign(clients[at], f"c{at}", node=f"n{at // 2}"),
                )
            )
            told = [
                (each.allocation.workload.node, each.assign_actor.name)
                for each in operator.history()
            ]
        for each in clients:
            each.close()
    assert sorted(told) == sorted((f"n{at // 2}", f"system:node:n{at // 2}") for at in range(16))
