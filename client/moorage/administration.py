"""The calls that administer pools, reservations, nodes and VRFs.

One part of `moorage.Client`; the calls for addresses are in `moorage.client`.
"""

from collections.abc import Iterable, Iterator, Mapping

import grpc
from google.protobuf import field_mask_pb2

from moorage import calls, names
from moorage.v1 import (
    node_service_pb2,
    node_service_pb2_grpc,
    pool_service_pb2,
    pool_service_pb2_grpc,
    reservation_service_pb2,
    reservation_service_pb2_grpc,
    resources_pb2,
    vrf_service_pb2,
    vrf_service_pb2_grpc,
)


class Administration(calls.Calls):
    """What operators call. A resource is named by id and VRF, or by its full name, which wins."""

    def __init__(self, channel: grpc.Channel, timeout: float) -> None:
        super().__init__(timeout)
        self._pools = pool_service_pb2_grpc.PoolServiceStub(channel)
        self._reservations = reservation_service_pb2_grpc.ReservationServiceStub(channel)
        self._nodes = node_service_pb2_grpc.NodeServiceStub(channel)
        self._vrfs = vrf_service_pb2_grpc.VrfServiceStub(channel)

    def create_pool(
        self,
        pool_id: str,
        pool: resources_pb2.Pool,
        *,
        vrf: str = names.DEFAULT_VRF,
        timeout: float | None = None,
    ) -> resources_pb2.Pool:
        """Create a pool.

        Not tried again once its outcome is in doubt: the second try would be told that the id is
        taken, by whom it could not say.
        """
        request = pool_service_pb2.CreatePoolRequest(
            parent=names.vrf(vrf), pool_id=pool_id, pool=pool
        )
        return self._call(self._pools.CreatePool, request, timeout, creates=True).pool

    def get_pool(
        self, pool: str, *, vrf: str = names.DEFAULT_VRF, timeout: float | None = None
    ) -> resources_pb2.Pool:
        """Return one pool."""
        request = pool_service_pb2.GetPoolRequest(name=names.pool(pool, vrf))
        return self._call(self._pools.GetPool, request, timeout).pool

    def pools(
        self,
        *,
        labels: Mapping[str, str] | None = None,
        vrf: str = names.DEFAULT_VRF,
        page_size: int = 0,
        timeout: float | None = None,
    ) -> Iterator[resources_pb2.Pool]:
        """List pools by id, those alone that carry all of `labels`."""
        request = pool_service_pb2.ListPoolsRequest(
            parent=names.vrf(vrf), page_size=page_size, labels=labels
        )
        for page in self._pages(self._pools.ListPools, request, timeout):
            yield from page.pools

    def update_pool(
        self,
        pool: resources_pb2.Pool,
        *,
        update_mask: Iterable[str] = (),
        timeout: float | None = None,
    ) -> resources_pb2.Pool:
        """Change the fields that `update_mask` names, or all that may change.

        Its name says which pool; its etag, where it has one, must be the present one.
        """
        request = pool_service_pb2.UpdatePoolRequest(pool=pool, update_mask=_mask(update_mask))
        return self._call(self._pools.UpdatePool, request, timeout).pool

    def delete_pool(
        self,
        pool: str,
        *,
        etag: str = "",
        vrf: str = names.DEFAULT_VRF,
        timeout: float | None = None,
    ) -> None:
        """Delete a pool of which nothing is assigned; with `etag`, only as it was then.

        Raises NotFound when there was none, unless an earlier try of this call may have deleted it.
        """
        request = pool_service_pb2.DeletePoolRequest(name=names.pool(pool, vrf), etag=etag)
        self._delete(self._pools.DeletePool, request, timeout)

    def create_reservation(
        self,
        reservation_id: str,
        reservation: resources_pb2.Reservation,
        *,
        vrf: str = names.DEFAULT_VRF,
        timeout: float | None = None,
    ) -> resources_pb2.Reservation:
        """Create a reservation; see `create_pool` for what is not tried again."""
        request = reservation_service_pb2.CreateReservationRequest(
            parent=names.vrf(vrf), reservation_id=reservation_id, reservation=reservation
        )
        return self._call(
            self._reservations.CreateReservation, request, timeout, creates=True
        ).reservation

    def get_reservation(
        self, reservation: str, *, vrf: str = names.DEFAULT_VRF, timeout: float | None = None
    ) -> resources_pb2.Reservation:
        """Return one reservation."""
        request = reservation_service_pb2.GetReservationRequest(
            name=names.reservation(reservation, vrf)
        )
        return self._call(self._reservations.GetReservation, request, timeout).reservation

    def reservations(
        self,
        *,
        labels: Mapping[str, str] | None = None,
        vrf: str = names.DEFAULT_VRF,
        page_size: int = 0,
        timeout: float | None = None,
    ) -> Iterator[resources_pb2.Reservation]:
        """List reservations by id, those alone that carry all of `labels`."""
        request = reservation_service_pb2.ListReservationsRequest(
            parent=names.vrf(vrf), page_size=page_size, labels=labels
        )
        for page in self._pages(self._reservations.ListReservations, request, timeout):
            yield from page.reservations

    def update_reservation(
        self,
        reservation: resources_pb2.Reservation,
        *,
        update_mask: Iterable[str] = (),
        timeout: float | None = None,
    ) -> resources_pb2.Reservation:
        """Change the fields that `update_mask` names; see `update_pool`."""
        request = reservation_service_pb2.UpdateReservationRequest(
            reservation=reservation, update_mask=_mask(update_mask)
        )
        return self._call(self._reservations.UpdateReservation, request, timeout).reservation

    def delete_reservation(
        self,
        reservation: str,
        *,
        etag: str = "",
        vrf: str = names.DEFAULT_VRF,
        timeout: float | None = None,
    ) -> None:
        """Delete a reservation; see `delete_pool`."""
        request = reservation_service_pb2.DeleteReservationRequest(
            name=names.reservation(reservation, vrf), etag=etag
        )
        self._delete(self._reservations.DeleteReservation, request, timeout)

    def upsert_node(
        self, node: resources_pb2.Node, *, timeout: float | None = None
    ) -> resources_pb2.Node:
        """Record the labels of a node in place of those it had; its name says which node."""
        request = node_service_pb2.UpsertNodeRequest(node=node)
        return self._call(self._nodes.UpsertNode, request, timeout).node

    def get_node(
        self, node: str, *, vrf: str = names.DEFAULT_VRF, timeout: float | None = None
    ) -> resources_pb2.Node:
        """Return one node."""
        request = node_service_pb2.GetNodeRequest(name=names.node(node, vrf))
        return self._call(self._nodes.GetNode, request, timeout).node

    def nodes(
        self,
        *,
        labels: Mapping[str, str] | None = None,
        vrf: str = names.DEFAULT_VRF,
        page_size: int = 0,
        timeout: float | None = None,
    ) -> Iterator[resources_pb2.Node]:
        """List nodes by id, those alone that carry all of `labels`."""
        request = node_service_pb2.ListNodesRequest(
            parent=names.vrf(vrf), page_size=page_size, labels=labels
        )
        for page in self._pages(self._nodes.ListNodes, request, timeout):
            yield from page.nodes

    def delete_node(
        self,
        node: str,
        *,
        etag: str = "",
        vrf: str = names.DEFAULT_VRF,
        timeout: float | None = None,
    ) -> None:
        """Forget a node's labels; see `delete_pool`."""
        request = node_service_pb2.DeleteNodeRequest(name=names.node(node, vrf), etag=etag)
        self._delete(self._nodes.DeleteNode, request, timeout)

    def create_vrf(
        self,
        vrf_id: str,
        vrf: resources_pb2.Vrf | None = None,
        *,
        timeout: float | None = None,
    ) -> resources_pb2.Vrf:
        """Create a VRF; see `create_pool` for what is not tried again."""
        request = vrf_service_pb2.CreateVrfRequest(vrf_id=vrf_id, vrf=vrf)
        return self._call(self._vrfs.CreateVrf, request, timeout, creates=True).vrf

    def get_vrf(self, vrf: str, *, timeout: float | None = None) -> resources_pb2.Vrf:
        """Return one VRF."""
        request = vrf_service_pb2.GetVrfRequest(name=names.vrf(vrf))
        return self._call(self._vrfs.GetVrf, request, timeout).vrf

    def vrfs(
        self,
        *,
        labels: Mapping[str, str] | None = None,
        page_size: int = 0,
        timeout: float | None = None,
    ) -> Iterator[resources_pb2.Vrf]:
        """List VRFs by id, those alone that carry all of `labels`."""
        request = vrf_service_pb2.ListVrfsRequest(page_size=page_size, labels=labels)
        for page in self._pages(self._vrfs.ListVrfs, request, timeout):
            yield from page.vrfs

    def update_vrf(
        self,
        vrf: resources_pb2.Vrf,
        *,
        update_mask: Iterable[str] = (),
        timeout: float | None = None,
    ) -> resources_pb2.Vrf:
        """Change the fields that `update_mask` names; see `update_pool`."""
        request = vrf_service_pb2.UpdateVrfRequest(vrf=vrf, update_mask=_mask(update_mask))
        return self._call(self._vrfs.UpdateVrf, request, timeout).vrf

    def delete_vrf(self, vrf: str, *, etag: str = "", timeout: float | None = None) -> None:
        """Delete a VRF that has no pools; see `delete_pool`."""
        request = vrf_service_pb2.DeleteVrfRequest(name=names.vrf(vrf), etag=etag)
        self._delete(self._vrfs.DeleteVrf, request, timeout)


def _mask(paths: Iterable[str]) -> field_mask_pb2.FieldMask | None:
    """Return a mask of these paths; none at all stands for every field that may change."""
    mask = field_mask_pb2.FieldMask(paths=paths)
    return mask if mask.paths else None
