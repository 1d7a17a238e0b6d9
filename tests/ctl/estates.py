"""A VRF with something of everything in it, and what an export of it says."""

import datetime
import json
import pathlib
from collections.abc import Iterator
from typing import Any

import moorage
from harness import calls
from moorage.v1 import allocation_service_pb2
from moorage.v1 import resources_pb2 as messages

HOUR = datetime.timedelta(hours=1)


def fill(client: moorage.Client, vrf: str) -> None:
    """Pools of both families, a drained one among them; rules, and what is held by them."""
    _configure(client, vrf)
    dual = (calls.want(), calls.want(calls.IPV6))
    _assign(client, vrf, "c1", *dual, labels={"tier": "front", "é": 'a "b"'})
    _assign(client, vrf, "c2", calls.fixed("10.0.0.77"), node="n2")
    _assign(client, vrf, "db-0", *dual, owner_key="db-0", sticky=HOUR)
    _assign(client, vrf, "db-1", *dual, owner_key="db-1", sticky=HOUR)
    client.release(calls.attachment("db-1"), vrf=vrf)
    _assign(client, vrf, "tunnel", calls.fixed("10.9.0.5"), use=messages.USE_TUNNEL)
    client.drain_pool("old", vrf=vrf)


def _configure(client: moorage.Client, vrf: str) -> None:
    client.create_vrf(
        vrf,
        messages.Vrf(
            description="all of it",
            labels={"site": "north"},
            configuration=messages.VrfConfiguration(
                strict_affinity=True, max_blocks_per_node=5, history_retention_days=0
            ),
            fixed_address_grants=[
                messages.FixedAddressGrant(namespace="shop", cidrs=["10.0.0.64/26", "fd00::7"])
            ],
            quotas=messages.Quotas(
                addresses_per_node=100,
                namespaces=[messages.NamespaceQuota(namespace="shop", addresses=50)],
            ),
        ),
    )
    client.upsert_node(messages.Node(name=f"vrfs/{vrf}/nodes/n1", labels={"rack": "4"}))
    web = messages.Pool(
        cidr="10.0.0.0/24",
        block_size=26,
        gateway="10.0.0.1",
        excluded_ranges=["10.0.0.2-10.0.0.4"],
        result_form=messages.RESULT_FORM_POOL,
        routes=[messages.Route(destination="10.0.0.0/8")],
        dns=messages.Dns(nameservers=["10.0.0.53"], searches=["shop.local"]),
        labels={"tier": "front"},
        priority=7,
        cooldown_seconds=0,
    )
    client.create_pool("web", web, vrf=vrf)
    six = messages.Pool(cidr="fd00::/112", block_affinity=messages.BLOCK_AFFINITY_NONE)
    client.create_pool("six", six, vrf=vrf)
    old = messages.Pool(cidr="10.9.0.0/26", assignment_mode=messages.ASSIGNMENT_MODE_MANUAL)
    client.create_pool("old", old, vrf=vrf)
    printers = messages.Reservation(cidrs=["10.0.0.200", "fd00::1:0/120"], description="floor 4")
    printers.expire_time.FromSeconds(4_000_000_000)
    client.create_reservation("printers", printers, vrf=vrf)


def _assign(
    client: moorage.Client,
    vrf: str,
    container: str,
    *wants: allocation_service_pb2.AddressRequest,
    node: str = "n1",
    **more: Any,  # noqa: ANN401  # as `Client.assign` takes them
) -> None:
    workload = messages.Workload(
        node=node, namespace="shop", pod=container, pod_uid=f"{container}-uid"
    )
    client.assign(calls.attachment(container), wants, workload=workload, vrf=vrf, **more)


def content(path: pathlib.Path) -> list[dict[str, object]]:
    """The lines of an export but for the first, the last and where the feed was."""
    _, *lines, _ = lines_of(path)
    return [{key: line[key] for key in line if key not in _OF_THE_MOMENT} for line in lines]


# Counted in seconds from the moment that a line is written.
_OF_THE_MOMENT = {"position", "expireTime"}


def expiries(path: pathlib.Path) -> Iterator[datetime.datetime]:
    """Until when sticky addresses are kept."""
    for line in lines_of(path):
        if line.get("kind") == "StickyAddress":
            yield datetime.datetime.fromisoformat(str(line["expireTime"]))


def lines_of(path: pathlib.Path) -> list[dict[str, object]]:
    """All lines, decoded."""
    return [json.loads(line) for line in path.read_text().splitlines()]
