"""What operators administer: VRFs, pools, reservations and nodes.

Their fields are checked where they enter (`api.decode`); rules that need other
rows, such as overlap, are the use cases'.
"""

import dataclasses
import datetime
import enum
from collections.abc import Mapping

from moorage_server.domain import addresses
from moorage_server.domain.model import Use
from moorage_server.domain.quarantine import Quarantine

NEVER = datetime.datetime.fromtimestamp(0, datetime.UTC)
DEFAULT_BLOCK_SIZE = {addresses.Family.IPV4: 26, addresses.Family.IPV6: 122}
DEFAULT_BLOCK_LIMIT = 20  # as Calico has it: https://github.com/projectcalico/calico/issues/9462
DEFAULT_HISTORY_RETENTION = 400  # days
BLOCK_SIZE_RANGE = {addresses.Family.IPV4: (20, 32), addresses.Family.IPV6: (116, 128)}


class AssignmentMode(enum.StrEnum):
    """Whether a pool serves requests that name no pool."""

    AUTOMATIC = "AUTOMATIC"
    MANUAL = "MANUAL"


class BlockAffinity(enum.StrEnum):
    """Whether blocks of a pool belong to nodes."""

    NODE = "NODE"
    NONE = "NONE"


class CooldownPolicy(enum.StrEnum):
    """What becomes of a pool's cooling addresses when nothing else is left."""

    REFUSE = "REFUSE"
    YIELD = "YIELD"


class FixedAddresses(enum.StrEnum):
    """Who may ask for addresses of a pool by name."""

    ANY = "ANY"
    GRANTED = "GRANTED"
    NONE = "NONE"


class PoolState(enum.StrEnum):
    """Whether a pool is in service."""

    ACTIVE = "ACTIVE"
    DRAINING = "DRAINING"


class ResultForm(enum.StrEnum):
    """Which prefix length an allocation is returned with."""

    HOST = "HOST"
    BLOCK = "BLOCK"
    POOL = "POOL"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Stored:
    """What every stored resource carries: identity, version, times.

    A resource that is not stored yet has version 0.
    """

    uid: str = ""
    version: int = 0
    create_time: datetime.datetime = NEVER
    update_time: datetime.datetime = NEVER

    @property
    def etag(self) -> str:
        """Changes with every update, and is not that of another resource of the name."""
        return f"{self.version}-{self.uid[:8]}"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class VrfConfiguration:
    """How blocks of a VRF are dealt out, and how long addresses rest.

    `max_blocks_per_node` of 0 means the default; `cooldown` is in seconds;
    `history_retention` is in days, 0 means for ever.
    """

    strict_affinity: bool = False
    auto_allocate_blocks: bool = True
    max_blocks_per_node: int = 0
    cooldown: int = 0
    history_retention: int = DEFAULT_HISTORY_RETENTION

    @property
    def block_limit(self) -> int:
        """How many blocks a node may own of each family."""
        return self.max_blocks_per_node or DEFAULT_BLOCK_LIMIT


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FixedAddressGrant:
    """Addresses that a namespace may ask for by name."""

    namespace: str
    cidrs: tuple[addresses.Network, ...]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class NamespaceQuota:
    """How many addresses one namespace may hold, whatever others may; 0 is no limit."""

    namespace: str
    addresses: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Quotas:
    """How many addresses of a VRF whoever may hold; 0 is no limit."""

    addresses_per_node: int = 0
    addresses_per_namespace: int = 0
    namespaces: tuple[NamespaceQuota, ...] = ()


NO_QUOTAS = Quotas()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Vrf(Stored):
    """A routing domain: inside one, an address is unique."""

    name: str
    description: str = ""
    configuration: VrfConfiguration = VrfConfiguration()
    labels: Mapping[str, str] = dataclasses.field(default_factory=dict)
    quarantines: tuple[Quarantine, ...] = ()
    fixed_address_grants: tuple[FixedAddressGrant, ...] = ()
    strict_namespaces: bool = False
    quotas: Quotas = NO_QUOTAS


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A route for the workload; without a gateway, by the pool's."""

    destination: addresses.Network
    gateway: addresses.Address | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Dns:
    """Name resolution for the workload, as in a CNI result."""

    nameservers: tuple[addresses.Address, ...] = ()
    domain: str = ""
    searches: tuple[str, ...] = ()
    options: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Pool(Stored):
    """One CIDR and the rules about who may draw from it.

    `excluded` spans are never assigned; `gateway` and, where asked, the network
    addresses are withheld as well (see `withheld`). `cooldown` is in seconds; None
    leaves it to the VRF.
    """

    vrf: str
    name: str
    cidr: addresses.Network
    block_size: int
    node_selector: str = "all()"
    namespace_selector: str = ""
    allowed_uses: frozenset[Use] = frozenset({Use.WORKLOAD, Use.TUNNEL})
    assignment_mode: AssignmentMode = AssignmentMode.AUTOMATIC
    disabled: bool = False
    state: PoolState = PoolState.ACTIVE
    block_affinity: BlockAffinity = BlockAffinity.NODE
    priority: int = 0
    result_form: ResultForm = ResultForm.HOST
    gateway: addresses.Address | None = None
    routes: tuple[Route, ...] = ()
    dns: Dns = Dns()
    excluded: tuple[addresses.Span, ...] = ()
    exclude_network_addresses: bool = False
    cooldown: int | None = None
    cooldown_policy: CooldownPolicy = CooldownPolicy.REFUSE
    allowed_namespaces: frozenset[str] = frozenset()
    fixed_addresses: FixedAddresses = FixedAddresses.ANY
    labels: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @property
    def family(self) -> addresses.Family:
        """The family of its addresses."""
        return addresses.family_of(self.cidr)

    @property
    def block_count(self) -> int:
        """How many blocks the range holds."""
        return 1 << (self.block_size - self.cidr.prefixlen)

    def cooldown_in(self, configuration: VrfConfiguration) -> int:
        """For how many seconds its addresses cool down in a VRF that is configured so."""
        return configuration.cooldown if self.cooldown is None else self.cooldown

    def withheld(self) -> addresses.RangeSet:
        """Every address of the pool that is never assigned."""
        spans = list(self.excluded)
        if self.gateway is not None:
            spans.append(addresses.Span.of(self.gateway))
        if self.exclude_network_addresses:
            spans.append(addresses.Span.of(self.cidr[0]))
            if self.family is addresses.Family.IPV4:
                spans.append(addresses.Span.of(self.cidr[-1]))
        return addresses.RangeSet(self.family, spans)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Reservation(Stored):
    """CIDRs hidden from automatic assignment, until it expires.

    With `owner_key`, this owner's: it is given them first, and nobody else is.
    """

    vrf: str
    name: str
    cidrs: tuple[addresses.Network, ...]
    description: str = ""
    expire_time: datetime.datetime | None = None
    owner_key: str = ""
    labels: Mapping[str, str] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Node(Stored):
    """A machine, and the labels that node selectors see."""

    vrf: str
    name: str
    labels: Mapping[str, str] = dataclasses.field(default_factory=dict)
