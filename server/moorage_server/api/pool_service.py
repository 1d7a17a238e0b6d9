"""PoolService: administration of pools."""

from moorage.v1 import pool_service_pb2 as messages
from moorage.v1 import pool_service_pb2_grpc
from moorage_server.api import (
    acting,
    callers,
    decode_blocks,
    decode_history,
    decode_pools,
    decode_resources,
    encode_history,
    encode_resources,
    listings,
    names,
    page_tokens,
)
from moorage_server.api.desk import Context, Desk
from moorage_server.domain import resources
from moorage_server.storage import catalogs
from moorage_server.usecases import forecast, granted_pools, pools, usage
from moorage_server.usecases.targets import Target


class PoolService(pool_service_pb2_grpc.PoolServiceServicer):
    """Decodes, calls a use case, encodes."""

    def __init__(self, desk: Desk, compiled: catalogs.Catalogs) -> None:
        """Takes what every service shares."""
        self._desk = desk
        self._compiled = compiled

    async def CreatePool(
        self, request: messages.CreatePoolRequest, context: Context
    ) -> messages.CreatePoolResponse:
        """Creates a pool."""
        pool = decode_pools.new_pool(request)
        by = acting.act(context)
        stored = await self._desk.change(request, context, pools.create, pool, by=by)
        return messages.CreatePoolResponse(pool=encode_resources.pool(stored))

    async def GetPool(
        self, request: messages.GetPoolRequest, context: Context
    ) -> messages.GetPoolResponse:
        """Shows one pool."""
        target = decode_resources.target(request.name, names.POOLS)
        stored = await self._get(context, target)
        return messages.GetPoolResponse(pool=encode_resources.pool(stored))

    async def _get(self, context: Context, target: Target) -> resources.Pool:
        bounds = callers.CURRENT.get().bounds
        if not bounds.is_tenant:
            return await self._desk.run(context, pools.get, target.vrf, target.name)
        return await self._desk.run(
            context,
            granted_pools.get,
            self._compiled,
            vrf=target.vrf,
            name=target.name,
            namespaces=bounds.namespaces,
        )

    async def ListPools(
        self, request: messages.ListPoolsRequest, context: Context
    ) -> messages.ListPoolsResponse:
        """Lists pools in order of id."""
        vrf, page = listings.page_of_vrf(request)
        listed, more = await self._page(context, vrf, page)
        page_shown, token = listings.shown(request, listed, encode_resources.pool, more=more)
        return messages.ListPoolsResponse(pools=page_shown, next_page_token=token)

    async def _page(
        self, context: Context, vrf: str, page: listings.Page
    ) -> tuple[list[resources.Pool], bool]:
        bounds = callers.CURRENT.get().bounds
        if not bounds.is_tenant:
            return await self._desk.run(
                context, pools.page, vrf, labels=page.labels, after=page.after, size=page.size
            )
        return await self._desk.run(
            context,
            granted_pools.page,
            self._compiled,
            vrf,
            namespaces=bounds.namespaces,
            labels=page.labels,
            after=page.after,
            size=page.size,
        )

    async def UpdatePool(
        self, request: messages.UpdatePoolRequest, context: Context
    ) -> messages.UpdatePoolResponse:
        """Changes the fields that the mask names."""
        target, change = decode_pools.pool_change(request)
        by = acting.act(context)
        stored = await self._desk.change(request, context, pools.update, target, change, by=by)
        return messages.UpdatePoolResponse(pool=encode_resources.pool(stored))

    async def DeletePool(
        self, request: messages.DeletePoolRequest, context: Context
    ) -> messages.DeletePoolResponse:
        """Deletes a pool of which nothing is assigned."""
        target = decode_resources.target(request.name, names.POOLS, request.etag)
        by = acting.act(context)
        await self._desk.change(request, context, pools.delete, target, by=by)
        return messages.DeletePoolResponse()

    async def DrainPool(
        self, request: messages.DrainPoolRequest, context: Context
    ) -> messages.DrainPoolResponse:
        """Takes a pool out of service."""
        target = decode_resources.target(request.name, names.POOLS, request.etag)
        by = acting.act(context)
        stored = await self._desk.run(context, pools.drain, target, by=by)
        return messages.DrainPoolResponse(pool=encode_resources.pool(stored))

    async def ActivatePool(
        self, request: messages.ActivatePoolRequest, context: Context
    ) -> messages.ActivatePoolResponse:
        """Puts a draining pool back into service."""
        target = decode_resources.target(request.name, names.POOLS, request.etag)
        by = acting.act(context)
        stored = await self._desk.run(context, pools.activate, target, by=by)
        return messages.ActivatePoolResponse(pool=encode_resources.pool(stored))

    async def GetPoolUsage(
        self, request: messages.GetPoolUsageRequest, context: Context
    ) -> messages.GetPoolUsageResponse:
        """Counts the addresses of a pool."""
        target = decode_resources.target(request.name, names.POOLS)
        if callers.CURRENT.get().bounds.is_tenant:
            await self._get(context, target)
        counted = await self._desk.run(
            context, usage.of_pool, self._compiled, vrf=target.vrf, pool=target.name
        )
        return messages.GetPoolUsageResponse(
            counts=encode_resources.counts(counted.counts), open_block_count=counted.open_blocks
        )

    async def ListBlocks(
        self, request: messages.ListBlocksRequest, context: Context
    ) -> messages.ListBlocksResponse:
        """Lists open blocks in order of address."""
        wanted = decode_blocks.listing(request)
        found, more = await self._desk.run(
            context,
            usage.page,
            self._compiled,
            vrf=wanted.vrf,
            pool=wanted.pool,
            node=request.node,
            after=wanted.after,
            size=wanted.size,
        )
        page = page_tokens.fitting([encode_resources.block(each) for each in found])
        more = more or len(page) < len(found)
        return messages.ListBlocksResponse(
            blocks=page, next_page_token=page_tokens.encode(request, page[-1].cidr) if more else ""
        )

    async def ForecastPool(
        self, request: messages.ForecastPoolRequest, context: Context
    ) -> messages.ForecastPoolResponse:
        """Tells how a pool has filled, and when it will be full."""
        target, days = decode_history.outlook(request)
        expected = await self._desk.run(
            context, forecast.of_pool, self._compiled, vrf=target.vrf, pool=target.name, days=days
        )
        return encode_history.outlook(expected)
