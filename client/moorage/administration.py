"""The calls that administer pools, reservations, nodes, VRFs and sticky addresses.

One part of `moorage.Client`; the calls for addresses are in `moorage.allocations`.
"""

from moorage import nodes, pools, reservations, sticky, upkeep, vrfs


class Administration(
    pools.Pools,
    reservations.Reservations,
    nodes.Nodes,
    vrfs.Vrfs,
    sticky.StickyAddresses,
    upkeep.Upkeep,
):
    """What operators call. A resource is named by id and VRF, or by its full name, which wins."""
