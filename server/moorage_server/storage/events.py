"""Rows of events: history, read; `holdings` writes them, with what they tell of."""

from collections.abc import Collection

import sqlalchemy as sa

from moorage_server.domain import addresses, model
from moorage_server.storage import arrays, statements

# By the index of the address, backwards: others may have held it since.
_RELEASED = statements.Statement("""
SELECT asked.address FROM unnest(CAST(:addresses AS inet[]), CAST(:networks AS text[]),
    CAST(:container_ids AS text[]), CAST(:interfaces AS text[]))
    AS asked (address, network, container_id, interface)
CROSS JOIN LATERAL (SELECT e.kind FROM events e
    WHERE e.vrf_id = :vrf_id AND e.address = asked.address AND e.network = asked.network
        AND e.container_id = asked.container_id AND e.interface = asked.interface
    ORDER BY e.event_id DESC LIMIT 1) AS newest
WHERE newest.kind = 'RELEASED'
""")


def released(
    connection: sa.Connection,
    vrf_id: int,
    asked: Collection[tuple[addresses.Address, model.AttachmentKey]],
) -> set[addresses.Address]:
    """Which of these addresses the attachment named with each has had and released.

    That stays so for as long as the attachments are locked.
    """
    keys = [key for _, key in asked]
    parameters = {
        "vrf_id": vrf_id,
        "addresses": arrays.texts(str(address) for address, _ in asked),
        "networks": arrays.texts(key.network for key in keys),
        "container_ids": arrays.texts(key.container_id for key in keys),
        "interfaces": arrays.texts(key.interface for key in keys),
    }
    return set(_RELEASED.values(connection, parameters))
