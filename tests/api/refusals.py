"""Calls that are refused: what exactly the caller is told."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import TypeVar

import grpc
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

Request = TypeVar("Request")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Refusal:
    """What a failed call carries; violations are of INVALID_REQUEST alone."""

    code: grpc.StatusCode
    reason: str
    metadata: Mapping[str, str]
    message: str
    violations: tuple[tuple[str, str], ...] = ()

    @property
    def fields(self) -> list[str]:
        """The fields that are wrong, in the order told."""
        return [field for field, _ in self.violations]

    def told(self) -> tuple[grpc.StatusCode, str, dict[str, str]]:
        """What programs decide on."""
        return self.code, self.reason, dict(self.metadata)


def of(call: Callable[[Request], object], request: Request) -> Refusal:
    """The refusal of a call that must fail."""
    with pytest.raises(grpc.RpcError) as raised:
        call(request)
    error = raised.value
    assert isinstance(error, grpc.Call)
    status = rpc_status.from_call(error)
    assert status is not None, f"{error.code()} without details: {error.details()}"
    info, wrong = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
    assert [detail.Unpack(info) for detail in status.details].count(True) == 1
    assert info.domain == "moorage.dev"
    any(detail.Unpack(wrong) for detail in status.details)
    return Refusal(
        code=error.code(),
        reason=info.reason,
        metadata=info.metadata,
        message=status.message,
        violations=tuple((each.field, each.description) for each in wrong.field_violations),
    )
