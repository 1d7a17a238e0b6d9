"""What is told of the past -> messages: holdings, and how full pools were."""

import datetime

from google.protobuf import duration_pb2

from moorage.v1 import history_pb2 as messages
from moorage.v1 import pool_service_pb2 as pool_messages
from moorage.v1 import resources_pb2
from moorage_server.api import encode, encode_resources, enums, names
from moorage_server.domain import forecast, history, model


def holding(told: history.Holding) -> messages.Holding:
    """Who held an address, from when to when."""
    message = messages.Holding(allocation=_allocation(told.allocation, told.pool))
    if told.end is not None:
        message.release_time.CopyFrom(encode_resources.timestamp(told.end.time))
        message.release_generation = told.end.generation
        message.release_cause = enums.CAUSES.encode(told.end.cause)
    return message


def outlook(expected: forecast.Forecast) -> pool_messages.ForecastPoolResponse:
    """How a pool has filled, and when it will be full."""
    return pool_messages.ForecastPoolResponse(
        counts=encode_resources.counts(expected.counts),
        days=[
            pool_messages.DailyUsage(
                end_time=encode_resources.timestamp(level.time), assigned_count=level.assigned
            )
            for level in expected.levels
        ],
        daily_growth=expected.growth,
        days_to_exhaustion=expected.days_left,
    )


def _allocation(held: model.Allocation, pool: str) -> resources_pb2.Allocation:
    """An allocation without what its pool says today."""
    vrf, facts = held.attachment.vrf, held.facts
    return resources_pb2.Allocation(
        name=names.child_name(vrf, names.ALLOCATIONS, str(held.address)),
        address=str(held.address),
        generation=held.generation,
        pool=names.child_name(vrf, names.POOLS, pool),
        block=str(held.block),
        attachment=encode.attachment(held.attachment),
        workload=encode.workload(facts.workload),
        owner_key=facts.owner_key,
        use=enums.USES.encode(facts.use),
        labels=facts.labels,
        assign_time=encode_resources.timestamp(held.assign_time),
        sticky=_duration(facts.sticky) if facts.sticky else None,
        yielded=held.yielded,
        suspect=held.suspect_tick is not None,
    )


def _duration(seconds: int) -> duration_pb2.Duration:
    duration = duration_pb2.Duration()
    duration.FromTimedelta(datetime.timedelta(seconds=seconds))
    return duration
