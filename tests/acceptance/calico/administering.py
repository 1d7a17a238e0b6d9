"""Steps that create, change, remove and show what operators administer; taken from `ground`."""

from collections.abc import Mapping

from google.protobuf import field_mask_pb2
from google.protobuf.message import Message

from acceptance.calico import checks, spelling
from acceptance.calico.stage import Stage
from acceptance.calico.step import Step
from moorage.v1 import node_service_pb2 as nodes
from moorage.v1 import pool_service_pb2 as pooling
from moorage.v1 import reservation_service_pb2 as reserving
from moorage.v1 import resources_pb2, vrf_service_pb2


def pool(name: str, cidr: str, **fields: object) -> Step:
    """Creates a pool."""

    def request(stage: Stage) -> Message:
        made = spelling.message(resources_pb2.Pool, {"cidr": cidr, **fields})
        return pooling.CreatePoolRequest(parent=stage.parent, pool_id=name, pool=made)

    return Step(request)


def pool_changed(name: str, *, etag_of: str = "", **fields: object) -> Step:
    """Changes these fields of a pool; `etag_of`: only as it was in the step kept so."""

    def request(stage: Stage) -> Message:
        made = spelling.message(resources_pb2.Pool, fields)
        made.name, made.etag = stage.name("pools", name), _etag(stage, etag_of)
        return pooling.UpdatePoolRequest(pool=made, update_mask=_mask(fields))

    return Step(request)


def pool_removed(name: str, *, etag_of: str = "") -> Step:
    """Deletes a pool; `etag_of`: only as it was in the step kept so."""
    return Step(
        lambda stage: pooling.DeletePoolRequest(
            name=stage.name("pools", name), etag=_etag(stage, etag_of)
        )
    )


def pool_shown(name: str) -> Step:
    """Shows a pool."""
    return Step(lambda stage: pooling.GetPoolRequest(name=stage.name("pools", name)))


def drained(name: str) -> Step:
    """Takes a pool out of service."""
    return Step(lambda stage: pooling.DrainPoolRequest(name=stage.name("pools", name)))


def activated(name: str) -> Step:
    """Puts a drained pool back into service."""
    return Step(lambda stage: pooling.ActivatePoolRequest(name=stage.name("pools", name)))


def reservation(name: str, *cidrs: str, **fields: object) -> Step:
    """Creates a reservation; `expireTime` is RFC 3339 text."""

    def request(stage: Stage) -> Message:
        made = spelling.message(resources_pb2.Reservation, {"cidrs": cidrs, **fields})
        return reserving.CreateReservationRequest(
            parent=stage.parent, reservation_id=name, reservation=made
        )

    return Step(request)


def reservation_changed(name: str, *, etag_of: str = "", **fields: object) -> Step:
    """Changes these fields of a reservation; one that is None is taken away."""

    def request(stage: Stage) -> Message:
        given = {key: value for key, value in fields.items() if value is not None}
        made = spelling.message(resources_pb2.Reservation, given)
        made.name, made.etag = stage.name("reservations", name), _etag(stage, etag_of)
        return reserving.UpdateReservationRequest(reservation=made, update_mask=_mask(fields))

    return Step(request)


def reservation_removed(name: str) -> Step:
    """Deletes a reservation."""
    return Step(
        lambda stage: reserving.DeleteReservationRequest(name=stage.name("reservations", name))
    )


def reservation_shown(name: str) -> Step:
    """Shows a reservation."""
    return Step(
        lambda stage: reserving.GetReservationRequest(name=stage.name("reservations", name))
    )


def node(name: str, labels: Mapping[str, str] | None = None, /, **more: str) -> Step:
    """Records a node with these labels, replacing those it had."""

    def request(stage: Stage) -> Message:
        merged = {**(labels or {}), **more}
        return nodes.UpsertNodeRequest(
            node=resources_pb2.Node(name=stage.name("nodes", name), labels=merged)
        )

    return Step(request)


def node_removed(name: str) -> Step:
    """Forgets a node."""
    return Step(lambda stage: nodes.DeleteNodeRequest(name=stage.name("nodes", name)))


def namespace(name: str, labels: Mapping[str, str] | None = None, /, **more: str) -> Step:
    """From here on the namespace has these labels; one never told of has none."""

    def request(stage: Stage) -> None:
        stage.namespaces[name] = {**(labels or {}), **more}

    return Step(request)


def configuration(etag_of: str = "", /, **fields: int) -> Step:
    """Changes these fields of the VRF's configuration, and leaves the others.

    `etag_of`: only as it was in the step kept so.
    """

    def request(stage: Stage) -> Message:
        made = spelling.message(resources_pb2.VrfConfiguration, fields)
        vrf = resources_pb2.Vrf(name=stage.parent, configuration=made, etag=_etag(stage, etag_of))
        return vrf_service_pb2.UpdateVrfRequest(
            vrf=vrf, update_mask=_mask(fields, under="configuration.")
        )

    return Step(request)


def configuration_shown() -> Step:
    """Shows the VRF's configuration."""
    return Step(lambda stage: vrf_service_pb2.GetVrfRequest(name=stage.parent))


def _mask(fields: Mapping[str, object], under: str = "") -> field_mask_pb2.FieldMask:
    return field_mask_pb2.FieldMask(paths=[under + path for path in spelling.paths(fields)])


def _etag(stage: Stage, kept: str) -> str:
    return checks.resource(stage.known[kept]).etag if kept else ""
