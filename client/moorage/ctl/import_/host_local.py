"""moorctl import host-local: takes over the addresses of one network of one node.

Ranges stand in the configuration of the network, addresses in a directory: see `host_local_files`.
"""

from __future__ import annotations

import pathlib
from collections.abc import Mapping
from dataclasses import dataclass, field

import click

from moorage.ctl import documents, manifests, settings, specs
from moorage.ctl.import_ import estate, flags, host_local_files, making, takeover, values
from moorage.v1 import admin_service_pb2, resources_pb2

SOURCE = "host-local"

_DEFAULT_DIRECTORY = "/var/lib/cni/networks"


@click.command("host-local")
@click.argument("configuration", metavar="CONFIG")
@click.argument("directory", metavar="[DIRECTORY]", required=False, default="")
@flags.how(orphans="addresses")
@click.option("--node", default="", metavar="NAME", help="The node that the files are of.")
@click.option(
    "--node-selector",
    default="",
    metavar="SELECTOR",
    help="Which nodes the pools serve that are made; default: all.",
)
@flags.interface("eth0", "Interface where a file names none, as of old versions.")
@flags.cluster("node")
@settings.after_command
def command(
    where: settings.Settings,
    configuration: str,
    directory: str,
    how: takeover.How,
    node: str,
    node_selector: str,
    interface: str,
    cluster: str,
) -> None:
    """Take over the ranges and addresses of a network of host-local's; nobody is renumbered.

    \b
      moorctl import host-local --node worker-1 10-pods.conflist
      moorctl import host-local --node worker-1 10-pods.conflist ./worker-1/pods --apply

    CONFIG is the network's configuration or configuration list, DIRECTORY that of its addresses,
    by default the one that CONFIG says, of this machine. Without --apply it is shown what would be
    adopted and what is in the way. With a conflict anywhere, nothing is changed and the exit code
    is 4. Importing again adopts only what is new since, and nothing that was released here.

    A range that is a pool here, or lies in one, is served by that pool, used as it is. A DEL
    releases what was adopted for its container and interface.
    """
    workload = resources_pb2.Workload(node=node, cluster=cluster)
    found = read(
        configuration,
        directory,
        vrf=where.vrf,
        workload=workload,
        interface=interface,
        node_selector=node_selector,
    )
    takeover.run(where, found, how)


@dataclass(slots=True)
class _Subnet:
    """A subnet, with the spans of it that may be assigned; none: all of it."""

    cidr: estate.Network
    gateway: str = ""
    spans: list[tuple[values.Address, values.Address]] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Network:
    """What the configuration of a network says; `directory` is that of its addresses."""

    where: str
    name: str
    subnets: list[_Subnet]
    routes: list[resources_pb2.Route]
    directory: str


def read(
    configuration: str,
    directory: str,
    *,
    vrf: str,
    workload: resources_pb2.Workload,
    interface: str,
    node_selector: str,
) -> estate.Estate:
    """Return what a network left; raises exits.Failed with all that is wrong."""
    network = _network(configuration)
    sheet, notes = specs.Place(where=network.where), list[str]()
    home = pathlib.Path(directory or network.directory)
    files = host_local_files.read(home, interface, sheet, notes)
    estate.refuse_problems(sheet)
    taken = {each.address for each in files}
    pools = [_pool(each, network, taken, vrf, node_selector) for each in network.subnets]
    kept = [_reservation(each, vrf) for each in files if not each.container_id]
    return estate.Estate(
        source=SOURCE,
        manifests=(*pools, *kept),
        addresses=tuple(_held(each, network.name, workload) for each in files if each.container_id),
        node=workload.node,
        kept=frozenset(each.resource.name for each in kept),
        notes=tuple(notes),
    )


def _network(source: str) -> _Network:
    """Return what a configuration says; raises exits.Failed with all that is wrong."""
    place, network = _configuration(source)
    name = values.identifier(network.get("name"), place.child("name"))
    if not name:
        place.child("name").refuse("must name the network")
    ipam, inside = values.mapping(network["ipam"], place.child("ipam")), place.child("ipam")
    home = values.text(ipam.get("dataDir"), inside.child("dataDir")) or _DEFAULT_DIRECTORY
    found = _Network(
        where=place.where,
        name=name,
        subnets=_subnets(ipam, inside),
        routes=values.routes(ipam.get("routes"), inside.child("routes")),
        directory=f"{home}/{name}",
    )
    estate.refuse_problems(place)
    return found


def _configuration(source: str) -> tuple[specs.Place, Mapping[str, object]]:
    """Return a network's `name` and `ipam`; of a list of plugins, that of the first with one."""
    found = documents.read([source])
    place = specs.Place(where=found[0].where)
    given = values.mapping(found[0].value, place)
    inside = place.child("plugins")
    chain = values.items(given.get("plugins"), inside) or [given]
    for each in chain:
        ipam = each.get("ipam") if isinstance(each, dict) else None
        if isinstance(ipam, dict) and ipam.get("type") == SOURCE:
            return place, {"name": given.get("name"), "ipam": ipam}
    place.child("ipam").refuse(f'must be there, and of type "{SOURCE}"')
    return place, {"name": given.get("name"), "ipam": {}}


def _subnets(ipam: Mapping[str, object], place: specs.Place) -> list[_Subnet]:
    """Return the subnets; a range set may have several ranges of one."""
    known: dict[estate.Network, _Subnet] = {}
    ranges = [(place, ipam)] if ipam.get("subnet") is not None else []
    inside = place.child("ranges")
    for at, each in enumerate(values.items(ipam.get("ranges"), inside)):
        for number, given in enumerate(values.items(each, inside.item(at))):
            spot = inside.item(at).item(number)
            ranges.append((spot, values.mapping(given, spot)))
    for spot, given in ranges:
        _take(given, spot, known)
    if not ranges and ipam:
        place.child("ranges").refuse("must have a range; write down the node's, if it has its own")
    return list(known.values())


def _take(
    given: Mapping[str, object], place: specs.Place, known: dict[estate.Network, _Subnet]
) -> None:
    cidr = values.network(given.get("subnet"), place.child("subnet"))
    if cidr is None:
        return
    subnet = known.setdefault(cidr, _Subnet(cidr))
    gateway, first, last = (
        _inside(given, key, cidr, place) for key in ("gateway", "rangeStart", "rangeEnd")
    )
    # host-local keeps the first address for the gateway where none is named.
    default = cidr[1] if cidr.num_addresses > 2 else ""
    subnet.gateway = subnet.gateway or str(gateway or default)
    subnet.spans.append((first or cidr[0], last or cidr[-1]))


def _inside(
    given: Mapping[str, object], key: str, cidr: estate.Network, place: specs.Place
) -> values.Address | None:
    if given.get(key) is None:
        return None
    found = values.address(given[key], place.child(key))
    if found is not None and found not in cidr:
        place.child(key).refuse(f"{found} is not in {cidr}")
    return found


def _pool(
    subnet: _Subnet, network: _Network, taken: set[values.Address], vrf: str, node_selector: str
) -> manifests.Manifest:
    made = resources_pb2.Pool(
        cidr=str(subnet.cidr),
        result_form=resources_pb2.RESULT_FORM_POOL,
        gateway=subnet.gateway,
        routes=making.routes_of(subnet.cidr, network.routes),
        excluded_ranges=making.outside(subnet.cidr, subnet.spans),
        exclude_network_addresses=making.withholds_its_own(subnet.cidr, taken),
        node_selector=node_selector,
    )
    own_id = f"{network.name}-{estate.slug(str(subnet.cidr))}"
    return making.pool(own_id, vrf, network.where, made)


def _held(
    entry: host_local_files.Entry, network: str, workload: resources_pb2.Workload
) -> admin_service_pb2.AdoptedAddress:
    attachment = resources_pb2.Attachment(
        network=network, container_id=entry.container_id, interface=entry.interface
    )
    return making.held(entry.address, attachment, workload)


def _reservation(entry: host_local_files.Entry, vrf: str) -> manifests.Manifest:
    address = str(entry.address)
    text = f"taken in {SOURCE} by a container that it does not name"
    own_id = f"{SOURCE}-{estate.slug(address)}"
    return making.reservation(own_id, vrf, entry.where, [address], text)
