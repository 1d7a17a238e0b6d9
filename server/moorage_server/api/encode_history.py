"""What was, and what happened -> messages: events, holdings, and how full pools were."""

from moorage.v1 import history_pb2 as messages
from moorage.v1 import pool_service_pb2 as pool_messages
from moorage.v1 import resources_pb2
from moorage_server.api import encode, encode_audit, encode_resources, enums
from moorage_server.domain import forecast, history


def held(holding: history.Holding) -> resources_pb2.Allocation:
    """What was held, or is, without what its pool adds to it."""
    return encode.bare(holding.allocation, holding.pool)


def event(told: history.Event, message: messages.AllocationEvent) -> None:
    """Writes one change."""
    message.revision = told.revision
    message.kind = enums.EVENT_KINDS.encode(told.kind)
    message.cause = enums.EVENT_CAUSES.encode(told.cause)
    encode_resources.timestamp(told.time, message.event_time)
    message.generation = told.generation
    encode.bare(told.allocation, told.pool, message.allocation)


def holding(told: history.Holding) -> messages.Holding:
    """Who held an address, from when to when."""
    message = messages.Holding(allocation=held(told))
    if told.begun_by is not None:
        message.assign_actor.CopyFrom(encode_audit.actor(told.begun_by))
    if told.end is not None:
        encode_resources.timestamp(told.end.time, message.release_time)
        message.release_generation = told.end.generation
        message.release_cause = enums.EVENT_CAUSES.encode(told.end.cause)
        if told.end.by is not None:
            message.release_actor.CopyFrom(encode_audit.actor(told.end.by))
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
