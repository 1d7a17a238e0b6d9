"""What is held is told in the same words by whoever is asked."""

import ipaddress

import moorage
from harness import calls, serving, watches
from harness.calls import create_pool
from moorage.v1 import resources_pb2 as messages

# Of addresses that databases and programs spell in several ways, too.
IPV6_POOLS = {"six": "fd00:0:0:1::/64", "low": "::a00:0/112", "lowest": "::1:0/116"}
LABELS = {"app": "cart", "\u00e9": '"\\\u20ac'}
FORM = ("prefix_length", "gateway", "routes", "dns")


def hold(client: moorage.Client) -> list[messages.Allocation]:
    """Addresses of every pool, with all that may be known of them and with the least, in order."""
    create_pool(
        client,
        "four",
        "10.0.0.0/24",
        result_form=messages.RESULT_FORM_POOL,
        gateway="10.0.0.1",
        routes=[messages.Route(destination="0.0.0.0/0")],
        dns=messages.Dns(nameservers=["10.0.0.53"], searches=["example.org"]),
    )
    for name, cidr in IPV6_POOLS.items():
        create_pool(client, name, cidr, result_form=messages.RESULT_FORM_BLOCK)
    wants = [
        calls.want(pools=("four",)),
        *(calls.want(calls.IPV6, pools=(name,)) for name in IPV6_POOLS),
    ]
    known = client.assign(
        calls.attachment("c1"),
        wants,
        workload=messages.Workload(
            node="n1", namespace="shop", pod="cart-0", pod_uid="u1", cluster="east"
        ),
        use=messages.USE_TUNNEL,
        owner_key="cart",
        sticky=60,
        labels=LABELS,
    )
    unknown = client.assign(calls.attachment("c2", interface="net1"), wants)
    return sorted(known + unknown, key=by_address)


def by_address(held: messages.Allocation) -> tuple[int, bytes]:
    """The order of listings."""
    address = ipaddress.ip_address(held.address)
    return address.version, address.packed


def test_a_listing_tells_what_was_assigned(client: moorage.Client) -> None:
    held = hold(client)
    assert [client.get_allocation(each.address) for each in held] == held
    assert list(client.allocations()) == held
    assert list(client.allocations(page_size=3)) == held


def test_a_snapshot_tells_it_without_the_form_of_its_pool(
    client: moorage.Client, server: serving.Serving
) -> None:
    held = hold(client)
    with watches.watching(server.target) as stream:
        stream.until(len(held))  # all of it has been numbered, so that it is in a snapshot
    for each in held:
        for field in FORM:
            each.ClearField(field)  # type: ignore[arg-type]  # one of its fields
    with client.watch() as watch:
        assert list(next(watch).held or ()) == held
