"""What a failed call raises."""

import pickle
import re

import grpc
import pytest
from google.rpc import error_details_pb2

import moorage
from client import peer as peers
from moorage import errors, failures
from moorage.v1 import error_reason_pb2

Code = grpc.StatusCode

Row = tuple[Code, str, type[moorage.MoorageError]]

CLASSES: list[Row] = [
    (Code.INVALID_ARGUMENT, "INVALID_REQUEST", moorage.InvalidRequest),
    (Code.INVALID_ARGUMENT, "PAGE_TOKEN_MISMATCH", moorage.InvalidRequest),
    (Code.NOT_FOUND, "POOL_NOT_FOUND", moorage.NotFound),
    (Code.ALREADY_EXISTS, "POOL_ALREADY_EXISTS", moorage.Conflict),
    (Code.ALREADY_EXISTS, "ADDRESS_IN_USE", moorage.Conflict),
    (Code.FAILED_PRECONDITION, "NO_ELIGIBLE_POOL", moorage.Conflict),
    (Code.ABORTED, "ETAG_MISMATCH", moorage.Conflict),
    (Code.RESOURCE_EXHAUSTED, "POOL_EXHAUSTED", moorage.Exhausted),
    (Code.RESOURCE_EXHAUSTED, "POOL_COOLING", moorage.Exhausted),
    (Code.RESOURCE_EXHAUSTED, "BLOCK_LIMIT_REACHED", moorage.Exhausted),
    (Code.RESOURCE_EXHAUSTED, "QUOTA_EXCEEDED", moorage.Exhausted),
    (Code.FAILED_PRECONDITION, "BLOCK_ALLOCATION_DISABLED", moorage.Exhausted),
    (Code.FAILED_PRECONDITION, "BLOCK_AFFINITY_MISMATCH", moorage.Conflict),
    (Code.FAILED_PRECONDITION, "POOL_DRAINING", moorage.Conflict),
    (Code.ALREADY_EXISTS, "ADDRESS_COOLING", moorage.Conflict),
    (Code.RESOURCE_EXHAUSTED, "SOMETHING_NEW", moorage.Exhausted),
    (Code.RESOURCE_EXHAUSTED, "", moorage.ServerFault),
    (Code.DEADLINE_EXCEEDED, "DEADLINE_TOO_SHORT", moorage.DeadlineExceeded),
    (Code.PERMISSION_DENIED, "", moorage.Denied),
    (Code.UNAUTHENTICATED, "", moorage.Denied),
    (Code.INTERNAL, "INTERNAL", moorage.ServerFault),
    (Code.UNIMPLEMENTED, "", moorage.ServerFault),
    (Code.UNKNOWN, "", moorage.ServerFault),
]
# These are tried again, so a single call has to be the last one that its deadline allows.
CLASSES_OF_LAST_TRY: list[Row] = [
    (Code.UNAVAILABLE, "", moorage.Unavailable),
    (Code.UNAVAILABLE, "DATABASE_UNAVAILABLE", moorage.Unavailable),
    (Code.UNAVAILABLE, "OUTCOME_UNKNOWN", moorage.OutcomeUnknown),
    (Code.ABORTED, "CONTENTION", moorage.Unavailable),
    (Code.RESOURCE_EXHAUSTED, "SERVER_BUSY", moorage.Unavailable),
]


def failure_of(peer: peers.Peer, step: peers.Step) -> moorage.MoorageError:
    """What one call raises that is answered with `step`."""
    peer.will(step)
    with (
        moorage.Client(peer.target) as client,
        pytest.raises(moorage.MoorageError) as caught,
    ):
        client.get_pool("web")
    return caught.value


@pytest.mark.parametrize(("code", "reason", "kind"), CLASSES + CLASSES_OF_LAST_TRY)
def test_a_failure_raises_the_class_of_its_meaning(
    peer: peers.Peer, code: Code, reason: str, kind: type[moorage.MoorageError]
) -> None:
    failure = failure_of(peer, peers.refuse(code, reason, retry_delay=60))
    assert type(failure) is kind
    assert (failure.code, failure.reason, failure.message) == (code, reason, f"said {code.name}")
    assert str(failure) == failure.message


def test_metadata_violations_and_delay_are_carried(peer: peers.Peer) -> None:
    request = error_details_pb2.BadRequest()
    request.field_violations.add(field="pool.cidr", description="has host bits")
    request.field_violations.add(field="pool_id", description="is missing")
    step = peers.refuse(
        Code.INVALID_ARGUMENT, "INVALID_REQUEST", details=[request], retry_delay=1.5, vrf="blue"
    )
    failure = failure_of(peer, step)
    assert failure.metadata == {"vrf": "blue"}
    assert failure.violations == (("pool.cidr", "has host bits"), ("pool_id", "is missing"))
    assert failure.retry_delay == 1.5


def test_what_another_domain_says_is_not_taken_for_ours(peer: peers.Peer) -> None:
    step = peers.refuse(
        Code.RESOURCE_EXHAUSTED, "POOL_EXHAUSTED", domain="proxy.example", pools="web"
    )
    failure = failure_of(peer, step)
    assert type(failure) is moorage.ServerFault
    assert (failure.reason, failure.metadata) == ("", {})


def test_garbled_details_leave_the_code(peer: peers.Peer) -> None:
    def abort(context: grpc.ServicerContext) -> bytes:
        context.set_trailing_metadata(((failures.DETAILS_KEY, b"\xff\xff"),))
        context.abort(Code.NOT_FOUND, "gone")
        return b""

    failure = failure_of(peer, abort)
    assert type(failure) is moorage.NotFound
    assert (failure.reason, failure.message) == ("", "gone")


@pytest.mark.parametrize(
    ("code", "reason", "in_doubt"),
    [
        (Code.INTERNAL, "INTERNAL", True),
        (Code.UNKNOWN, "", True),
        (Code.DEADLINE_EXCEEDED, "", True),
        (Code.DEADLINE_EXCEEDED, "DEADLINE_TOO_SHORT", False),
        (Code.UNAVAILABLE, "OUTCOME_UNKNOWN", True),
        (Code.UNAVAILABLE, "DATABASE_UNAVAILABLE", False),
        (Code.ABORTED, "CONTENTION", False),
        (Code.RESOURCE_EXHAUSTED, "POOL_EXHAUSTED", False),
        (Code.RESOURCE_EXHAUSTED, "", True),
        (Code.FAILED_PRECONDITION, "POOL_IN_USE", False),
    ],
)
def test_a_failure_says_whether_something_may_have_changed(
    peer: peers.Peer, code: Code, reason: str, in_doubt: bool
) -> None:
    assert failure_of(peer, peers.refuse(code, reason, retry_delay=60)).in_doubt is in_doubt


def test_every_status_code_has_a_class() -> None:
    assert set(failures.CLASSES) == set(Code) - {Code.OK}


def test_every_reason_that_is_decided_on_is_published() -> None:
    names = error_reason_pb2.ErrorReason.DESCRIPTOR.values_by_name
    known = {name.removeprefix("ERROR_REASON_") for name in names}
    assert set(failures.CLASSES_BY_REASON) | failures.NOTHING_CHANGED <= known


def test_the_drawn_tree_is_the_real_one() -> None:
    drawn: dict[str, str] = {}
    parents = ["MoorageError"]
    for match in re.finditer(r"^ {4}(.*)[├└]── (\w+)", errors.__doc__ or "", re.MULTILINE):
        depth = len(match[1]) // 4
        parents[depth + 1 :] = [match[2]]
        drawn[match[2]] = parents[depth]
    real = {
        name: value.__base__.__name__
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, moorage.MoorageError) and value.__base__
    }
    assert drawn == {name: base for name, base in real.items() if name != "MoorageError"}


def test_an_error_survives_pickling(peer: peers.Peer) -> None:
    failure = failure_of(peer, peers.refuse(Code.UNAVAILABLE, "OUTCOME_UNKNOWN", retry_delay=60))
    copy = pickle.loads(pickle.dumps(failure))
    assert type(copy) is moorage.OutcomeUnknown
    assert vars(copy) == vars(failure)
