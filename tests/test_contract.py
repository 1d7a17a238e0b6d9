"""The contract and the code say the same: reasons, codes, metadata, methods."""

import datetime
import pathlib
import re

import pytest

from moorage.v1 import error_reason_pb2
from moorage_server.api import errors as statuses
from moorage_server.api.server import SERVICES
from moorage_server.domain import errors

ROOT = pathlib.Path(__file__).resolve().parent.parent
CATALOGUE = (ROOT / "proto/moorage/v1/error_reason.proto").read_text()

ATTACHMENT = {"vrf": "v", "network": "n", "container_id": "c", "interface": "i"}
RAISED: list[errors.IpamError] = [
    errors.InvalidRequest([("field", "is wrong")]),
    errors.PageTokenMismatch(),
    errors.VrfNotFound("v"),
    errors.PoolNotFound("v", "p"),
    errors.ReservationNotFound("v", "r"),
    errors.NodeNotFound("v", "n"),
    errors.AllocationNotFound("v", "10.0.0.1"),
    errors.VrfAlreadyExists("v"),
    errors.PoolAlreadyExists("v", "p"),
    errors.ReservationAlreadyExists("v", "r"),
    errors.PoolOverlaps("v", "p", "10.0.0.0/24", "q"),
    errors.VrfInUse("v"),
    errors.VrfQuarantined("v", "RESTORED", datetime.datetime.now(datetime.UTC)),
    errors.PoolInUse("v", "p", 3),
    errors.FieldImmutable("vrfs/v/pools/p", "cidr"),
    errors.EtagMismatch("vrfs/v/pools/p"),
    errors.NoEligiblePool([], vrf="v", family="IPV4", node="n", namespace="s", use="WORKLOAD"),
    errors.PoolDisabled("v", "p"),
    errors.PoolDraining("v", "p"),
    errors.PoolUseNotAllowed("v", "p", "WORKLOAD"),
    errors.PoolFamilyMismatch("v", "p", "IPV6"),
    errors.AddressNotInPool("v", "10.0.0.1"),
    errors.AddressExcluded("v", "10.0.0.1", "p"),
    errors.AddressInUse("v", ["10.0.0.1"], "p"),
    errors.AddressCooling("v", "10.0.0.1", "p", datetime.datetime.now(datetime.UTC)),
    errors.BlockAffinityMismatch("v", "10.0.0.1", block="10.0.0.0/26", node="a", owner="b"),
    errors.AttachmentChanged(["10.0.0.1"], **ATTACHMENT),
    errors.AttachmentReleased(**ATTACHMENT),
    errors.AttachmentSuperseded(**ATTACHMENT),
    errors.AddressKept("v", "10.0.0.1", "p"),
    errors.StickyAddressNotFound("v", "10.0.0.1"),
    errors.CursorExpired("v", 3, 7),
    errors.CursorUnknown("v", "e", 3),
    errors.ConsumerTooSlow("v"),
    errors.PoolExhausted(
        [("p", 1)],
        vrf="v",
        family="IPV4",
        pools="p",
        size="1",
        assigned="1",
        reserved="0",
        kept="0",
    ),
    errors.PoolCooling(
        datetime.datetime.now(datetime.UTC), vrf="v", family="IPV4", pools="p", cooling="1"
    ),
    errors.QuotaExceeded("v", "node", "n", limit=3, held=2, more=2),
    errors.BlockLimitReached(20, vrf="v", node="n", family="IPV4"),
    errors.BlockAllocationDisabled(vrf="v", node="n", family="IPV4"),
    errors.Contention(),
    errors.DatabaseUnavailable(),
    errors.OutcomeUnknown(),
    errors.DeadlineTooShort(),
    errors.ServerBusy(),
    errors.InternalError("abc"),
    errors.CredentialRefused("EXPIRED", "the certificate has expired"),
    errors.MethodNotAllowed("reader", "DeletePool"),
    errors.NotYours(node="n"),
    errors.NamespaceNotGranted("v", "s", pool="p"),
    errors.PodNotVerified(node="n", namespace="s", pod="p", pod_uid="u"),
    errors.KubernetesUnavailable(),
]


def published(reason: str) -> tuple[str, set[str], bool]:
    """What the catalogue says of a reason: its code, its metadata keys, whether RetryInfo comes."""
    entry = re.search(rf"((?:  //[^\n]*\n)+)  ERROR_REASON_{reason} = \d+;", CATALOGUE)
    assert entry is not None, f"{reason} is not in the catalogue"
    comment = " ".join(line.strip(" /") for line in entry[1].splitlines())
    listed = re.search(r"Metadata:\s+((?:[^.(]|\([^)]*\))*)", comment)
    keys = re.sub(r"\([^)]*\)", "", listed[1]) if listed else ""
    names = {name.strip() for name in keys.split(",")} - {"none", ""}
    return comment.split(",")[0].split(".")[0], names, "with RetryInfo" in comment


def test_every_error_has_one_reason_one_code_and_one_row() -> None:
    leaves = errors.IpamError.__subclasses__()
    reasons = {leaf.reason for leaf in leaves}
    assert len(reasons) == len(leaves)
    assert set(statuses.CODES) == set(leaves) == {type(each) for each in RAISED}
    enum = {
        name.removeprefix("ERROR_REASON_")
        for name in error_reason_pb2.ErrorReason.DESCRIPTOR.values_by_name
    }
    assert enum - {"UNSPECIFIED"} == reasons


@pytest.mark.parametrize("error", RAISED, ids=lambda error: error.reason)
def test_an_error_carries_what_the_catalogue_says(error: errors.IpamError) -> None:
    code, keys, retry = published(error.reason)
    assert statuses.CODES[type(error)].name == code
    assert set(error.metadata) == keys
    assert (type(error) in statuses.RETRY_DELAYS_MS) is retry
    details = [detail.TypeName().rpartition(".")[2] for detail in statuses.status(error).details]
    assert details.count("ErrorInfo") == 1
    assert ("BadRequest" in details) is isinstance(error, errors.InvalidRequest)


@pytest.mark.parametrize(
    "method",
    [f"{service.name}.{method.name}" for service in SERVICES for method in service.methods],
)
def test_every_method_has_a_test_through_a_channel(method: str) -> None:
    name = method.partition(".")[2]
    spelling = re.sub(r"(?<!^)([A-Z])", r"_\1", name).lower()
    by_client = {
        "assign_addresses": r"\bassign\(",
        "release_addresses": r"\brelease\(",
        "list_allocations": r"\.allocations\(",
    }.get(spelling, rf"\.{spelling}\(")
    sources = [path.read_text() for path in (ROOT / "tests" / "api").glob("test_*.py")]
    assert any(re.search(rf"\.{name}\b|{by_client}", source) for source in sources)


def test_every_reason_an_rpc_names_is_in_the_catalogue() -> None:
    known = {each.reason for each in RAISED}
    for path in (ROOT / "proto/moorage/v1").glob("*_service.proto"):
        named = re.findall(r"//\s+((?:[A-Z_]+, )*[A-Z_]+) \([A-Z_]+\)", path.read_text())
        for group in named:
            assert set(group.split(", ")) <= known, (path.name, group)
