"""What operators change while everybody works."""

import time

import moorage
from chaos.faults.scene import Closed, Scene, fault
from harness.calls import create_pool, want
from moorage.v1 import resources_pb2 as messages

_NEW = "10.4.0.0/26"


@fault
def pool_disabled(scene: Scene) -> int:
    """A pool is withdrawn, and comes back."""
    with scene.stage.administration() as client:
        _disable(client, disabled=True)
        since = time.monotonic()
        scene.go_on(100)
        scene.closed.append(Closed(prefix="10.2.", since=since, until=time.monotonic()))
        _disable(client, disabled=False)
    return 1


@fault
def pool_drained(scene: Scene) -> int:
    """A pool is planned for removal, and then is not."""
    with scene.stage.administration() as client:
        client.drain_pool("cool")
        since = time.monotonic()
        scene.go_on(100)
        scene.closed.append(Closed(prefix="10.3.", since=since, until=time.monotonic()))
        client.activate_pool("cool")
    return 1


@fault
def pool_made_and_deleted(scene: Scene) -> int:
    """A pool comes, is used, and is deleted under the hands of who would use it more."""
    with scene.stage.administration() as client:
        create_pool(client, "brief", _NEW, block_size=28)
        for at in range(20):
            client.assign(_attachment(at), [want(pools=("brief",))])
        for at in range(20):
            client.release(_attachment(at))
        client.delete_pool("brief")
    return 1


@fault
def reservation_made_and_deleted(scene: Scene) -> int:
    """Addresses are reserved in the middle of a pool, and are not any more."""
    with scene.stage.administration() as client:
        client.create_reservation("brief", messages.Reservation(cidrs=["10.1.1.0/24"]))
        since = time.monotonic()
        scene.go_on(100)
        scene.closed.append(Closed(prefix="10.1.1.", since=since, until=time.monotonic()))
        client.delete_reservation("brief")
    return 1


@fault
def node_relabelled(scene: Scene) -> int:
    """Nodes get other labels, so that what is known of them is known anew."""
    with scene.stage.administration() as client:
        for at in range(4):
            labels = {"zone": scene.chance.choice("abc")}
            client.upsert_node(messages.Node(name=f"vrfs/default/nodes/n{at}", labels=labels))
    return 1


@fault
def vrf_configured(scene: Scene) -> int:
    """The VRF's rules change, and change back."""
    with scene.stage.administration() as client:
        for strict in (True, False):
            configuration = messages.VrfConfiguration(strict_affinity=strict)
            vrf = messages.Vrf(name="vrfs/default", configuration=configuration)
            client.update_vrf(vrf, update_mask=["configuration.strict_affinity"])
            scene.go_on(80)
    return 1


def _disable(client: moorage.Client, *, disabled: bool) -> None:
    pool = messages.Pool(name="vrfs/default/pools/tight", disabled=disabled)
    client.update_pool(pool, update_mask=["disabled"])


def _attachment(at: int) -> messages.Attachment:
    """Of a network that no node has."""
    return messages.Attachment(network="operators", container_id=f"brief-{at}", interface="eth0")
