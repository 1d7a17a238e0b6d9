"""ReservationService, through a real channel."""

import datetime

import grpc
import pytest
from google.protobuf import field_mask_pb2
from google.protobuf.timestamp_pb2 import Timestamp

import moorage
from api import refusals
from harness import calls, serving
from moorage.v1 import reservation_service_pb2 as messages
from moorage.v1 import reservation_service_pb2_grpc, resources_pb2

Reservation = resources_pb2.Reservation
Stub = reservation_service_pb2_grpc.ReservationServiceStub

NAME = "vrfs/default/reservations/r"
VERSION = "SELECT catalog_version FROM vrfs"


@pytest.fixture
def reservations(channel: grpc.Channel) -> Stub:
    return Stub(channel)


def create(reservations: Stub, *cidrs: str, **fields: object) -> Reservation:
    given = Reservation(cidrs=cidrs, **fields)  # type: ignore[arg-type]  # of the message's types
    request = messages.CreateReservationRequest(reservation_id="r", reservation=given)
    return reservations.CreateReservation(request).reservation


def test_a_reservation_is_returned_as_stored_in_canonical_spelling(reservations: Stub) -> None:
    made = create(
        reservations,
        "10.0.0.0/30",
        "10.0.0.9",
        "FD00:0:0::/64",
        "::ffff:10.0.0.10",
        description="Printers",
        labels={"a": "b"},
        uid="mine",
    )
    assert made.name == NAME
    assert made.cidrs == ["10.0.0.0/30", "10.0.0.9/32", "fd00::/64", "10.0.0.10/32"]
    assert (made.description, dict(made.labels)) == ("Printers", {"a": "b"})
    assert made.uid not in ("", "mine")
    assert reservations.GetReservation(messages.GetReservationRequest(name=NAME)).reservation == (
        made
    )


def test_an_id_is_taken_once_in_a_vrf(reservations: Stub) -> None:
    create(reservations, "10.0.0.0/30")
    again = messages.CreateReservationRequest(
        parent="vrfs/default", reservation_id="r", reservation=Reservation(cidrs=["10.1.0.0/30"])
    )
    assert refusals.of(reservations.CreateReservation, again).told() == (
        grpc.StatusCode.ALREADY_EXISTS,
        "RESERVATION_ALREADY_EXISTS",
        {"vrf": "default", "reservation": "r"},
    )


def test_reservations_may_overlap(reservations: Stub) -> None:
    create(reservations, "10.0.0.0/30", "10.0.0.0/8", "10.0.0.0/30")


def test_what_is_not_there_is_not_found(reservations: Stub) -> None:
    for vrf in ("default", "red"):
        name = f"vrfs/{vrf}/reservations/r"
        told = (
            grpc.StatusCode.NOT_FOUND,
            "RESERVATION_NOT_FOUND",
            {"vrf": vrf, "reservation": "r"},
        )
        get = messages.GetReservationRequest(name=name)
        assert refusals.of(reservations.GetReservation, get).told() == told
        delete = messages.DeleteReservationRequest(name=name)
        assert refusals.of(reservations.DeleteReservation, delete).told() == told
        given = Reservation(name=name, cidrs=["10.0.0.0/8"])
        update = messages.UpdateReservationRequest(reservation=given)
        assert refusals.of(reservations.UpdateReservation, update).told() == told


def test_a_vrf_that_is_not_there_takes_no_reservations(reservations: Stub) -> None:
    told = (grpc.StatusCode.NOT_FOUND, "VRF_NOT_FOUND", {"vrf": "red"})
    creation = messages.CreateReservationRequest(
        parent="vrfs/red", reservation_id="r", reservation=Reservation(cidrs=["10.0.0.0/8"])
    )
    assert refusals.of(reservations.CreateReservation, creation).told() == told
    listing = messages.ListReservationsRequest(parent="vrfs/red")
    assert refusals.of(reservations.ListReservations, listing).told() == told


def test_an_update_changes_what_its_mask_names(reservations: Stub) -> None:
    made = create(reservations, "10.0.0.0/30", description="Printers", labels={"a": "b"})
    given = Reservation(name=NAME, cidrs=["10.0.0.4/30"], etag=made.etag)
    partial = messages.UpdateReservationRequest(
        reservation=given, update_mask=field_mask_pb2.FieldMask(paths=["cidrs", "etag"])
    )
    after = reservations.UpdateReservation(partial).reservation
    assert after.cidrs == ["10.0.0.4/30"]
    assert (after.description, dict(after.labels)) == ("Printers", {"a": "b"})
    given.etag = after.etag
    everything = messages.UpdateReservationRequest(
        reservation=given, update_mask=field_mask_pb2.FieldMask(paths=["*", "cidrs"])
    )
    whole = reservations.UpdateReservation(everything).reservation
    assert (whole.description, dict(whole.labels)) == ("", {})
    assert len({made.etag, after.etag, whole.etag}) == 3


def test_an_update_that_changes_nothing_leaves_no_trace(
    reservations: Stub, server: serving.Serving
) -> None:
    made = create(reservations, "10.0.0.0/30")
    version = server.database.scalar(VERSION)
    given = Reservation(name=NAME, cidrs=["10.0.0.0/30"])
    request = messages.UpdateReservationRequest(reservation=given)
    assert reservations.UpdateReservation(request).reservation == made
    assert server.database.scalar(VERSION) == version


def test_every_change_outdates_the_catalog(reservations: Stub, server: serving.Serving) -> None:
    seen = [server.database.scalar(VERSION)]
    create(reservations, "10.0.0.0/30")
    seen.append(server.database.scalar(VERSION))
    given = Reservation(name=NAME, cidrs=["10.0.0.4/30"])
    reservations.UpdateReservation(messages.UpdateReservationRequest(reservation=given))
    seen.append(server.database.scalar(VERSION))
    reservations.DeleteReservation(messages.DeleteReservationRequest(name=NAME))
    seen.append(server.database.scalar(VERSION))
    assert len(set(seen)) == 4


def test_an_old_etag_is_refused(reservations: Stub) -> None:
    create(reservations, "10.0.0.0/30")
    told = (grpc.StatusCode.ABORTED, "ETAG_MISMATCH", {"resource": NAME})
    given = Reservation(name=NAME, cidrs=["10.0.0.0/30"], etag="x")
    update = messages.UpdateReservationRequest(reservation=given)
    assert refusals.of(reservations.UpdateReservation, update).told() == told
    delete = messages.DeleteReservationRequest(name=NAME, etag="2")
    assert refusals.of(reservations.DeleteReservation, delete).told() == told


@pytest.mark.parametrize(
    ("given", "fields"),
    [
        (Reservation(), ["cidrs"]),
        (Reservation(cidrs=[""]), ["cidrs[0]"]),
        (Reservation(cidrs=["10.0.0.0/8", "garbage"]), ["cidrs[1]"]),
        (Reservation(cidrs=["10.0.1.0/33"]), ["cidrs[0]"]),
        (Reservation(cidrs=["10.0.0.1/24", " 10.0.0.0/24"]), ["cidrs[0]", "cidrs[1]"]),
        (Reservation(cidrs=["10.0.0.0/255.0.0.0"]), ["cidrs[0]"]),
        (Reservation(cidrs=["fe80::1%eth0"]), ["cidrs[0]"]),
        (Reservation(cidrs=["10.0.0.0-10.0.0.9"]), ["cidrs[0]"]),
        (Reservation(cidrs=["::ffff:10.0.0.0/104"]), ["cidrs[0]"]),
        (Reservation(cidrs=["1" * 5000]), ["cidrs[0]"]),
        (Reservation(cidrs=["10.0.0.0/8"] * 257), ["cidrs"]),
        (Reservation(cidrs=["10.0.0.0/8"], description="x" * 257), ["description"]),
        (Reservation(cidrs=["10.0.0.0/8"], description="a\nb"), ["description"]),
        (Reservation(cidrs=["10.0.0.0/8"], labels={"": ""}), ["labels key"]),
    ],
)
def test_a_malformed_reservation_is_refused_with_every_field(
    unchanged: grpc.Channel, given: Reservation, fields: list[str]
) -> None:
    request = messages.CreateReservationRequest(reservation_id="r", reservation=given)
    refusal = refusals.of(Stub(unchanged).CreateReservation, request)
    assert refusal.told() == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST", {})
    assert refusal.fields == [f"reservation.{field}" for field in fields]


def test_as_many_violations_as_there_can_be_are_told(unchanged: grpc.Channel) -> None:
    given = Reservation(cidrs=["9" * 100] * 256)
    request = messages.CreateReservationRequest(reservation_id="r", reservation=given)
    refusal = refusals.of(Stub(unchanged).CreateReservation, request)
    assert refusal.told() == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST", {})


def test_256_cidrs_are_admitted(reservations: Stub) -> None:
    cidrs = [f"10.0.{at}.0/24" for at in range(256)]
    assert create(reservations, *cidrs).cidrs == cidrs


def test_a_malformed_update_is_refused_before_and_after_it_is_merged(reservations: Stub) -> None:
    create(reservations, "10.0.0.0/30")
    given = Reservation(name=NAME, description="x" * 257)
    bad_mask = messages.UpdateReservationRequest(
        reservation=given, update_mask=field_mask_pb2.FieldMask(paths=["cidrs.x"])
    )
    assert refusals.of(reservations.UpdateReservation, bad_mask).fields == ["update_mask"]
    too_many = messages.UpdateReservationRequest(
        reservation=given, update_mask=field_mask_pb2.FieldMask(paths=["cidrs"] * 65)
    )
    assert refusals.of(reservations.UpdateReservation, too_many).fields == ["update_mask"]
    bad_fields = messages.UpdateReservationRequest(reservation=given)
    assert refusals.of(reservations.UpdateReservation, bad_fields).fields == [
        "reservation.cidrs",
        "reservation.description",
    ]


def test_pages_are_in_order_and_filtered_by_labels(reservations: Stub) -> None:
    for name in ("c", "a", "b"):
        given = Reservation(cidrs=["10.0.0.0/8"], labels={"team": "x" if name == "b" else "y"})
        reservations.CreateReservation(
            messages.CreateReservationRequest(reservation_id=name, reservation=given)
        )
    request = messages.ListReservationsRequest(page_size=1, labels={"team": "y"})
    first = reservations.ListReservations(request)
    request.page_token = first.next_page_token
    last = reservations.ListReservations(request)
    names = [each.name.rpartition("/")[2] for page in (first, last) for each in page.reservations]
    assert (names, last.next_page_token) == (["a", "c"], "")
    request.parent = "vrfs/default"
    refusal = refusals.of(reservations.ListReservations, request)
    assert refusal.told() == (grpc.StatusCode.INVALID_ARGUMENT, "PAGE_TOKEN_MISMATCH", {})


def test_an_expiry_is_stored_to_the_microsecond_and_changed_like_any_field(
    reservations: Stub,
) -> None:
    made = create(reservations, "10.0.0.0/30", expire_time=Timestamp(seconds=9, nanos=1999))
    assert made.expire_time == Timestamp(seconds=9, nanos=1000)
    get = messages.GetReservationRequest(name=NAME)
    assert reservations.GetReservation(get).reservation == made
    mask = field_mask_pb2.FieldMask(paths=["expire_time"])
    later = Reservation(name=NAME, expire_time=Timestamp(seconds=10))
    update = messages.UpdateReservationRequest(reservation=later, update_mask=mask)
    after = reservations.UpdateReservation(update).reservation
    assert after.expire_time == Timestamp(seconds=10)
    assert after.etag != made.etag
    assert reservations.UpdateReservation(update).reservation == after
    update.reservation.ClearField("expire_time")
    assert not reservations.UpdateReservation(update).reservation.HasField("expire_time")


@pytest.mark.parametrize(
    "time",
    [
        Timestamp(seconds=-62135596800),
        Timestamp(seconds=253402300799, nanos=999_999_999),
        Timestamp(),
    ],
)
def test_any_time_of_the_years_1_to_9999_is_admitted(reservations: Stub, time: Timestamp) -> None:
    made = create(reservations, "10.0.0.0/30", expire_time=time)
    assert made.expire_time.seconds == time.seconds
    get = messages.GetReservationRequest(name=NAME)
    assert reservations.GetReservation(get).reservation == made


@pytest.mark.parametrize(
    "time",
    [
        Timestamp(seconds=-62135596801),
        Timestamp(seconds=253402300800),
        Timestamp(seconds=2**63 - 1),
        Timestamp(nanos=-1),
        Timestamp(nanos=1_000_000_000),
    ],
)
def test_what_is_no_time_is_refused(unchanged: grpc.Channel, time: Timestamp) -> None:
    given = Reservation(cidrs=["10.0.0.0/30"], expire_time=time)
    request = messages.CreateReservationRequest(reservation_id="r", reservation=given)
    refusal = refusals.of(Stub(unchanged).CreateReservation, request)
    assert refusal.told() == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_REQUEST", {})
    assert refusal.fields == ["reservation.expire_time"]


def stamp(time: datetime.datetime) -> Timestamp:
    made = Timestamp()
    made.FromDatetime(time)
    return made


def test_a_reservation_hides_until_it_expires(client: moorage.Client) -> None:
    calls.create_pool(client, "a", "10.0.0.0/31")
    now = datetime.datetime.now(datetime.UTC)
    hour = datetime.timedelta(hours=1)
    client.create_reservation("r", Reservation(cidrs=["10.0.0.0"], expire_time=stamp(now + hour)))
    assert calls.addresses_of(calls.assign(client, "c1")) == ["10.0.0.1"]
    over = Reservation(name=NAME, expire_time=stamp(now - hour))
    client.update_reservation(over, update_mask=["expire_time"])
    assert calls.addresses_of(calls.assign(client, "c2")) == ["10.0.0.0"]


def owned(client: moorage.Client, name: str, *cidrs: str, owner: str = "db-0") -> None:
    """A reservation for an owner."""
    client.create_reservation(name, Reservation(cidrs=cidrs, owner_key=owner))


def given(client: moorage.Client, container: str, owner: str = "", *fixed: str) -> str:
    """The address that an owner is given."""
    want = calls.fixed(*fixed) if fixed else calls.want()
    return client.assign(calls.attachment(container), [want], owner_key=owner)[0].address


def test_an_owner_is_told_and_changed_like_any_field(client: moorage.Client) -> None:
    owned(client, "r", "10.0.0.0/24", "fd00::/120")
    assert client.get_reservation("r").owner_key == "db-0"
    changed = Reservation(name=NAME, owner_key="db-1")
    assert client.update_reservation(changed, update_mask=["owner_key"]).owner_key == "db-1"
    cleared = client.update_reservation(Reservation(name=NAME), update_mask=["owner_key"])
    assert cleared.owner_key == ""


@pytest.mark.parametrize("cidr", ["10.0.0.0/23", "fd00::/119"])
def test_what_is_reserved_for_an_owner_is_small(client: moorage.Client, cidr: str) -> None:
    with pytest.raises(moorage.InvalidRequest, match="more than 256 addresses"):
        owned(client, "r", cidr)
    client.create_reservation("r", Reservation(cidrs=[cidr]))
    with pytest.raises(moorage.InvalidRequest, match=r"reservation\.cidrs"):
        client.update_reservation(Reservation(name=NAME, owner_key="o"), update_mask=["owner_key"])


def test_no_block_is_opened_for_a_candidate_that_is_kept_for_another(
    client: moorage.Client,
) -> None:
    calls.create_pool(client, "a", "10.0.0.0/24", block_size=26)
    owned(client, "r", "10.0.0.5/32")
    assert given(client, "c1", "", "10.0.0.5", "10.0.0.70") == "10.0.0.70"
    assert [each.cidr for each in client.blocks()] == ["10.0.0.64/26"]


def test_an_owner_is_given_what_is_reserved_for_it_and_nobody_else_is(
    client: moorage.Client,
) -> None:
    calls.create_pool(client, "a", "10.0.0.0/29")
    owned(client, "r", "10.0.0.2/31")
    assert given(client, "c1", "db-0") == "10.0.0.2"
    with pytest.raises(moorage.Conflict) as refused:
        given(client, "c2", "db-1", "10.0.0.3")
    assert refused.value.reason == "ADDRESS_KEPT"
    assert refused.value.metadata == {"vrf": "default", "address": "10.0.0.3", "pool": "a"}
    with pytest.raises(moorage.Conflict):
        given(client, "c2", "", "10.0.0.3")
    others = {given(client, f"x{at}") for at in range(6)}
    assert others == {f"10.0.0.{at}" for at in (0, 1, 4, 5, 6, 7)}
    with pytest.raises(moorage.Exhausted):
        given(client, "x6")
    assert given(client, "c3", "db-0", "10.0.0.3") == "10.0.0.3"
    client.delete_reservation("r")
    calls.release(client, "c3")
    assert given(client, "x6") == "10.0.0.3"


def test_a_reservation_for_an_owner_expires_like_any_other(
    client: moorage.Client, server: serving.Serving
) -> None:
    calls.create_pool(client, "a", "10.0.0.0/30")
    owned(client, "r", "10.0.0.3")
    server.database.execute("UPDATE reservations SET expire_time = now() - interval '1 second'")
    server.database.execute("UPDATE vrfs SET catalog_version = DEFAULT")
    assert given(client, "c1", "db-0") == "10.0.0.0"
    assert given(client, "c2", "", "10.0.0.3") == "10.0.0.3"
