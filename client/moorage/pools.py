"""The calls that administer pools, and those that ask what their addresses and blocks are."""

from collections.abc import Iterable, Iterator, Mapping

import grpc

from moorage import calls, names
from moorage.v1 import pool_service_pb2, pool_service_pb2_grpc, resources_pb2


class Pools(calls.Calls):
    """Pools and their blocks."""

    def __init__(self, channel: grpc.Channel, timeout: float) -> None:
        super().__init__(channel, timeout)
        self._pools = pool_service_pb2_grpc.PoolServiceStub(channel)

    def create_pool(
        self,
        pool_id: str,
        pool: resources_pb2.Pool,
        *,
        vrf: str = names.DEFAULT_VRF,
        validate_only: bool = False,
        timeout: float | None = None,
    ) -> resources_pb2.Pool:
        """Create a pool.

        Not tried again once its outcome is in doubt: the second try would be told that the id is
        taken, by whom it could not say. With `validate_only`, nothing is changed, and the answer
        is as if it were; so it is with everything that is administered.
        """
        request = pool_service_pb2.CreatePoolRequest(
            parent=names.vrf(vrf), pool_id=pool_id, pool=pool, validate_only=validate_only
        )
        return self._call(self._pools.CreatePool, request, timeout, creates=not validate_only).pool

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
        validate_only: bool = False,
        timeout: float | None = None,
    ) -> resources_pb2.Pool:
        """Change the fields that `update_mask` names, or all that may change.

        Its name says which pool; its etag, where it has one, must be the present one.
        """
        request = pool_service_pb2.UpdatePoolRequest(
            pool=pool, update_mask=calls.mask(update_mask), validate_only=validate_only
        )
        return self._call(self._pools.UpdatePool, request, timeout).pool

    def delete_pool(
        self,
        pool: str,
        *,
        etag: str = "",
        vrf: str = names.DEFAULT_VRF,
        validate_only: bool = False,
        timeout: float | None = None,
    ) -> None:
        """Delete a pool of which nothing is assigned; with `etag`, only as it was then.

        Raises NotFound when there was none, unless an earlier try of this call may have deleted it.
        """
        request = pool_service_pb2.DeletePoolRequest(
            name=names.pool(pool, vrf), etag=etag, validate_only=validate_only
        )
        self._delete(self._pools.DeletePool, request, timeout, validate_only=validate_only)

    def drain_pool(
        self,
        pool: str,
        *,
        etag: str = "",
        vrf: str = names.DEFAULT_VRF,
        timeout: float | None = None,
    ) -> resources_pb2.Pool:
        """Take a pool out of service for good; with `etag`, only as it was then.

        What is assigned of it stays until it is released. Draining it again changes nothing.
        """
        request = pool_service_pb2.DrainPoolRequest(name=names.pool(pool, vrf), etag=etag)
        return self._call(self._pools.DrainPool, request, timeout).pool

    def activate_pool(
        self,
        pool: str,
        *,
        etag: str = "",
        vrf: str = names.DEFAULT_VRF,
        timeout: float | None = None,
    ) -> resources_pb2.Pool:
        """Put a draining pool back into service; see `drain_pool`."""
        request = pool_service_pb2.ActivatePoolRequest(name=names.pool(pool, vrf), etag=etag)
        return self._call(self._pools.ActivatePool, request, timeout).pool

    def get_pool_usage(
        self, pool: str, *, vrf: str = names.DEFAULT_VRF, timeout: float | None = None
    ) -> pool_service_pb2.GetPoolUsageResponse:
        """Return how many addresses of a pool there are, by what they are, and its open blocks."""
        request = pool_service_pb2.GetPoolUsageRequest(name=names.pool(pool, vrf))
        return self._call(self._pools.GetPoolUsage, request, timeout)

    def forecast_pool(
        self,
        pool: str,
        *,
        window_days: int = 0,
        vrf: str = names.DEFAULT_VRF,
        timeout: float | None = None,
    ) -> pool_service_pb2.ForecastPoolResponse:
        """Return how a pool has filled day by day, and when it will be full at that rate.

        By its last `window_days`, or as many as the server looks at by default.
        """
        request = pool_service_pb2.ForecastPoolRequest(
            name=names.pool(pool, vrf), window_days=window_days
        )
        return self._call(self._pools.ForecastPool, request, timeout)

    def blocks(
        self,
        *,
        pool: str = "",
        node: str = "",
        vrf: str = names.DEFAULT_VRF,
        page_size: int = 0,
        timeout: float | None = None,
    ) -> Iterator[resources_pb2.Block]:
        """List open blocks by address: of one pool or the whole VRF, of one node or any."""
        parent = names.pool(pool, vrf) if pool else names.vrf(vrf)
        request = pool_service_pb2.ListBlocksRequest(parent=parent, node=node, page_size=page_size)
        for page in self._pages(self._pools.ListBlocks, request, timeout):
            yield from page.blocks
