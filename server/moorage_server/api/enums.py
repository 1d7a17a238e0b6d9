"""The contract's enums and the domain's: one table each, for both directions."""

from collections.abc import Mapping
from typing import Generic, TypeVar

from moorage.v1 import audit_pb2, history_pb2
from moorage.v1 import resources_pb2 as messages
from moorage_server.api.violations import Violations
from moorage_server.domain import actors, addresses, audit, history, model, quarantine, resources

N = TypeVar("N", bound=int)
T = TypeVar("T")

UNSPECIFIED = 0


class Terms(Generic[N, T]):
    """The published numbers of one enum and what they mean."""

    def __init__(self, meanings: Mapping[N, T], names: str) -> None:
        """Takes every number but UNSPECIFIED; `names` is the choice, for messages."""
        self._meanings = meanings
        self._numbers = {meaning: number for number, meaning in meanings.items()}
        self._names = names

    def decode(self, found: Violations, field: str, number: N, absent: T) -> T:
        """The meaning of a number; `absent` where it is not given, or not known, which is noted."""
        if number != UNSPECIFIED:
            self.require(found, field, number)
        return self._meanings.get(number, absent)

    def require(self, found: Violations, field: str, number: N) -> T | None:
        """The meaning of a number; None where it has none, which is noted."""
        if number not in self._meanings:
            found.add(field, f"{number} is not one of the known values; give {self._names}")
        return self._meanings.get(number)

    def encode(self, meaning: T) -> N:
        """The published number."""
        return self._numbers[meaning]


FAMILIES = Terms(
    {
        messages.IP_FAMILY_IPV4: addresses.Family.IPV4,
        messages.IP_FAMILY_IPV6: addresses.Family.IPV6,
    },
    "IP_FAMILY_IPV4 or IP_FAMILY_IPV6",
)
USES = Terms(
    {
        messages.USE_WORKLOAD: model.Use.WORKLOAD,
        messages.USE_TUNNEL: model.Use.TUNNEL,
        messages.USE_LOAD_BALANCER: model.Use.LOAD_BALANCER,
    },
    "USE_WORKLOAD, USE_TUNNEL or USE_LOAD_BALANCER",
)
ASSIGNMENT_MODES = Terms(
    {
        messages.ASSIGNMENT_MODE_AUTOMATIC: resources.AssignmentMode.AUTOMATIC,
        messages.ASSIGNMENT_MODE_MANUAL: resources.AssignmentMode.MANUAL,
    },
    "ASSIGNMENT_MODE_AUTOMATIC or ASSIGNMENT_MODE_MANUAL",
)
BLOCK_AFFINITIES = Terms(
    {
        messages.BLOCK_AFFINITY_NODE: resources.BlockAffinity.NODE,
        messages.BLOCK_AFFINITY_NONE: resources.BlockAffinity.NONE,
    },
    "BLOCK_AFFINITY_NODE or BLOCK_AFFINITY_NONE",
)
COOLDOWN_POLICIES = Terms(
    {
        messages.COOLDOWN_POLICY_REFUSE: resources.CooldownPolicy.REFUSE,
        messages.COOLDOWN_POLICY_YIELD: resources.CooldownPolicy.YIELD,
    },
    "COOLDOWN_POLICY_REFUSE or COOLDOWN_POLICY_YIELD",
)
FIXED_ADDRESSES = Terms(
    {
        messages.FIXED_ADDRESSES_ANY: resources.FixedAddresses.ANY,
        messages.FIXED_ADDRESSES_GRANTED: resources.FixedAddresses.GRANTED,
        messages.FIXED_ADDRESSES_NONE: resources.FixedAddresses.NONE,
    },
    "FIXED_ADDRESSES_ANY, FIXED_ADDRESSES_GRANTED or FIXED_ADDRESSES_NONE",
)
POOL_STATES = Terms(
    {
        messages.POOL_STATE_ACTIVE: resources.PoolState.ACTIVE,
        messages.POOL_STATE_DRAINING: resources.PoolState.DRAINING,
    },
    "POOL_STATE_ACTIVE or POOL_STATE_DRAINING",
)
RESULT_FORMS = Terms(
    {
        messages.RESULT_FORM_HOST: resources.ResultForm.HOST,
        messages.RESULT_FORM_BLOCK: resources.ResultForm.BLOCK,
        messages.RESULT_FORM_POOL: resources.ResultForm.POOL,
    },
    "RESULT_FORM_HOST, RESULT_FORM_BLOCK or RESULT_FORM_POOL",
)
EVENT_KINDS = Terms(
    {
        history_pb2.ALLOCATION_EVENT_KIND_ASSIGNED: history.Kind.ASSIGNED,
        history_pb2.ALLOCATION_EVENT_KIND_RELEASED: history.Kind.RELEASED,
    },
    "ALLOCATION_EVENT_KIND_ASSIGNED or ALLOCATION_EVENT_KIND_RELEASED",
)
EVENT_CAUSES = Terms(
    {
        history_pb2.ALLOCATION_EVENT_CAUSE_REQUESTED: history.Cause.REQUESTED,
        history_pb2.ALLOCATION_EVENT_CAUSE_SUPERSEDED: history.Cause.SUPERSEDED,
        history_pb2.ALLOCATION_EVENT_CAUSE_RECONCILED: history.Cause.RECONCILED,
        history_pb2.ALLOCATION_EVENT_CAUSE_ADOPTED: history.Cause.ADOPTED,
    },
    "one of ALLOCATION_EVENT_CAUSE_...",
)
QUARANTINE_CAUSES = Terms(
    {
        messages.QUARANTINE_CAUSE_RESTORED: quarantine.Cause.RESTORED,
        messages.QUARANTINE_CAUSE_WENT_BACK: quarantine.Cause.WENT_BACK,
        messages.QUARANTINE_CAUSE_RULES_BROKEN: quarantine.Cause.RULES_BROKEN,
    },
    "one of QUARANTINE_CAUSE_...",
)
PROOFS = Terms(
    {
        audit_pb2.PROOF_NONE: actors.Proof.NONE,
        audit_pb2.PROOF_CERTIFICATE: actors.Proof.CERTIFICATE,
        audit_pb2.PROOF_TOKEN: actors.Proof.TOKEN,
        audit_pb2.PROOF_CERTIFICATE_AND_TOKEN: actors.Proof.CERTIFICATE_AND_TOKEN,
        audit_pb2.PROOF_SERVER: actors.Proof.SERVER,
    },
    "one of PROOF_...",
)
CHANGE_KINDS = Terms(
    {
        audit_pb2.CHANGE_KIND_VRF: audit.Kind.VRF,
        audit_pb2.CHANGE_KIND_POOL: audit.Kind.POOL,
        audit_pb2.CHANGE_KIND_RESERVATION: audit.Kind.RESERVATION,
        audit_pb2.CHANGE_KIND_NODE: audit.Kind.NODE,
        audit_pb2.CHANGE_KIND_BLOCK: audit.Kind.BLOCK,
        audit_pb2.CHANGE_KIND_STICKY_ADDRESS: audit.Kind.STICKY_ADDRESS,
        audit_pb2.CHANGE_KIND_QUARANTINE: audit.Kind.QUARANTINE,
    },
    "one of CHANGE_KIND_...",
)
