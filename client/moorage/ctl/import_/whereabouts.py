"""moorctl import whereabouts: takes over the ranges and addresses of whereabouts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import click

from moorage.ctl import manifests, settings, specs
from moorage.ctl.import_ import estate, flags, making, ranges, takeover, values, whereabouts_dump
from moorage.v1 import admin_service_pb2, resources_pb2

_SOURCE = whereabouts_dump.SOURCE
_CLAIM_LABEL = f"{_SOURCE}.ipamclaim"
_LONGEST_VALUE = 256


@click.command("whereabouts")
@click.argument("sources", metavar="DUMP...", nargs=-1, required=True)
@flags.how()
@click.option(
    "--network",
    default="",
    metavar="NAME",
    help="Network of what no NetworkAttachmentDefinition, or more than one, draws from.",
)
@flags.interface("net1", "Interface where an IPPool names none, as of old versions.")
@flags.cluster("dump")
@settings.after_command
def command(
    where: settings.Settings,
    sources: Sequence[str],
    how: takeover.How,
    network: str,
    interface: str,
    cluster: str,
) -> None:
    """Take over ranges and addresses as whereabouts left them; nobody is renumbered.

    \b
      group=whereabouts.cni.cncf.io
      kubectl get -A -o json pods,network-attachment-definitions,ippools.$group,\\
      overlappingrangeipreservations.$group > dump.json
      moorctl import whereabouts dump.json
      moorctl import whereabouts dump.json --apply

    DUMP is a file, a directory or "-", in JSON or YAML. Without --apply it is shown what would be
    adopted and what is in the way. With a conflict anywhere, nothing is changed and the exit code
    is 4. Importing again adopts only what is new since, and nothing that was released here.

    A range that is a pool here, or lies in one, is served by that pool, used as it is. A DEL of a
    pod releases what was adopted for it: its network is that of its NetworkAttachmentDefinition,
    its node that of the pod where the dump has it. With --cluster, the controller of that cluster
    collects what was adopted once its pod is gone.
    """
    origin = Origin(vrf=where.vrf, network=network, interface=interface, cluster=cluster)
    takeover.run(where, read(sources, origin), how)


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a dump is to go, and what it does not say itself."""

    vrf: str
    network: str
    interface: str
    cluster: str


def read(sources: Sequence[str], origin: Origin) -> estate.Estate:
    """Return what whereabouts left; raises exits.Failed with all that is wrong."""
    sheet = specs.Place(where="")
    reading = _Reading(whereabouts_dump.read(sources, sheet), origin, sheet)
    found = reading.whole()
    estate.refuse_problems(sheet)
    return found


class _Reading:
    """A dump that becomes an estate: who holds what, and what only is to be kept from others."""

    def __init__(self, found: whereabouts_dump.Dump, origin: Origin, sheet: specs.Place) -> None:
        self._found = found
        self._origin = origin
        self._sheet = sheet
        self._adopted: dict[values.Address, admin_service_pb2.AdoptedAddress] = {}
        self._kept: dict[values.Address, manifests.Manifest] = {}
        self._notes = list(found.notes)

    def whole(self) -> estate.Estate:
        """Return all of it; what is wrong is written down."""
        for pool in self._found.pools:
            self._take(pool)
        for lone in self._found.lone:
            self._take_lone(lone)
        ordered = sorted(self._adopted, key=lambda each: (each.version, int(each)))
        return estate.Estate(
            source=_SOURCE,
            manifests=(*self._pools(), *self._kept.values()),
            addresses=tuple(self._adopted[each] for each in ordered),
            kept=frozenset(each.resource.name for each in self._kept.values()),
            notes=tuple(self._notes),
        )

    def _take(self, pool: whereabouts_dump.Pool) -> None:
        place = specs.Place(where=pool.where, problems=self._sheet.problems)
        named = {each.network for each in self._found.definitions if each.is_of(pool)}
        network = named.pop() if len(named) == 1 else self._origin.network
        if not network and any(each.container_id for each in pool.allocations):
            which = f"{', '.join(sorted(named))} draw" if named else "no definition draws"
            place.refuse(
                f"{which} from range {pool.cidr}, so that the network of its addresses is not "
                "known; put its NetworkAttachmentDefinition into the dump, or name it: --network"
            )
        for each in pool.allocations:
            if each.container_id:
                self._adopt(each, network, place)
            else:
                self._keep(each.address, f"{each.namespace}/{each.pod}", pool.where)

    def _adopt(
        self, allocation: whereabouts_dump.Allocation, network: str, place: specs.Place
    ) -> None:
        address, labels = allocation.address, {}
        if allocation.claim:
            labels[_CLAIM_LABEL] = values.printable(allocation.claim, _LONGEST_VALUE)
            self._notes.append(
                f"{address} is kept for IPAMClaim {allocation.claim} beyond its pod; here it is "
                "released with the pod"
            )
        held = making.held(
            address,
            resources_pb2.Attachment(
                network=network,
                container_id=allocation.container_id,
                interface=allocation.interface or self._origin.interface,
            ),
            resources_pb2.Workload(
                node=self._found.nodes.get((allocation.namespace, allocation.pod), ""),
                namespace=allocation.namespace,
                pod=allocation.pod,
                cluster=self._origin.cluster,
            ),
            labels,
        )
        known = self._adopted.setdefault(address, held)
        if known.attachment != held.attachment:
            place.refuse(
                f"{address} is held by container {held.attachment.container_id}, and in another "
                f"IPPool by {known.attachment.container_id}; leave one of them out, or import it "
                "into a VRF of its own: --vrf"
            )

    def _take_lone(self, lone: whereabouts_dump.Lone) -> None:
        """Keep what no IPPool knows of, and whereabouts gives to nobody."""
        if any(each in self._adopted or each in self._kept for each in lone.addresses):
            return
        address = lone.addresses[0]
        self._notes.append(
            f"{lone.where}: {address} is held by no IPPool; it is reserved here, as in {_SOURCE}"
        )
        self._keep(address, lone.podref, lone.where)

    def _keep(self, address: values.Address, podref: str, where: str) -> None:
        text = f"taken in {_SOURCE} by {podref.strip('/') or 'a pod that it does not name'}"
        own_id = f"{_SOURCE}-{estate.slug(str(address))}"
        made = making.reservation(own_id, self._origin.vrf, where, [str(address)], text)
        self._kept.setdefault(address, made)

    def _pools(self) -> Iterator[manifests.Manifest]:
        """Yield the pools: ranges may lie in one another, and the largest has the addresses."""
        widest: list[whereabouts_dump.Pool] = []
        for pool in sorted(self._found.pools, key=lambda each: each.cidr.prefixlen):
            around = next((each for each in widest if ranges.lies_in(pool.cidr, each.cidr)), None)
            if around is None:
                widest.append(pool)
                name = pool.name or f"{_SOURCE}-{estate.slug(str(pool.cidr))}"
                yield making.pool(name, self._origin.vrf, pool.where, self._pool(pool))
            else:
                text = f"{pool.cidr} lies in {around.cidr} of {around.name}, whose pool has both"
                self._notes.append(f"{pool.where}: {text}")

    def _pool(self, pool: whereabouts_dump.Pool) -> resources_pb2.Pool:
        """Return a pool that deals out what any network of the range would."""
        known = [each for each in self._found.definitions if each.is_of(pool)]
        spans = [each.span for each in known] or [(pool.cidr[0], pool.cidr[-1])]
        excluded = set.intersection(*(set(each.excluded) for each in known)) if known else ()
        return resources_pb2.Pool(
            cidr=str(pool.cidr),
            result_form=resources_pb2.RESULT_FORM_POOL,
            gateway=next((each.gateway for each in known if each.gateway), ""),
            routes=making.routes_of(pool.cidr, known[0].routes if known else ()),
            excluded_ranges=[*making.outside(pool.cidr, spans), *sorted(excluded)],
            exclude_network_addresses=making.withholds_its_own(pool.cidr, self._adopted),
        )
