"""A step of a row: one call, and what must come of it. Rows take it from `ground`."""

import dataclasses
from collections.abc import Callable
from typing import Self

from google.protobuf.message import Message

from acceptance.calico import checks
from acceptance.calico.stage import Stage
from api import refusals


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    """One call, and what must come of it."""

    request: Callable[[Stage], Message | None]
    expected: tuple[checks.Check, ...] = ()
    refusal: Callable[[refusals.Refusal], None] | None = None

    def run(self, stage: Stage) -> Message | None:
        """Makes the call; returns its answer, or None where it was refused or there is none."""
        request = self.request(stage)
        if request is None:
            return None
        if self.refusal is not None:
            self.refusal(refusals.of(stage.call, request))
            return None
        answer = stage.call(request)
        for check in self.expected:
            check(stage, answer)
        return answer

    def then(self, check: checks.Check) -> Self:
        """The same step with one more check."""
        return dataclasses.replace(self, expected=(*self.expected, check))

    def refused(self, reason: str, *parts: str, **metadata: str) -> Self:
        """It fails for this reason; the message has these parts, the metadata these values."""

        def check(refusal: refusals.Refusal) -> None:
            assert refusal.reason == reason, refusal
            assert all(part in refusal.message for part in parts), (refusal.message, parts)
            assert {key: refusal.metadata.get(key) for key in metadata} == metadata

        return dataclasses.replace(self, refusal=check)

    def invalid(self, field: str, *parts: str) -> Self:
        """It is malformed in this field, and in no other; what is said of it has these parts."""

        def check(refusal: refusals.Refusal) -> None:
            assert refusal.reason == "INVALID_REQUEST", refusal
            assert set(refusal.fields) == {field}, refusal.violations
            said = " ".join(text for _, text in refusal.violations)
            assert all(part in said for part in parts), (said, parts)

        return dataclasses.replace(self, refusal=check)

    def gives(self, *addresses: str) -> Self:
        """Exactly these addresses, in this order; none given: none come."""
        return self.then(checks.gives(*addresses))

    def inside(self, *pools: str) -> Self:
        """One address for each of these pools, in this order."""
        return self.then(checks.inside(*pools))

    def in_range(self, cidr: str) -> Self:
        """At least one address, and every one inside of a CIDR."""
        return self.then(checks.in_range(cidr))

    def in_blocks(self, *blocks: str) -> Self:
        """The blocks of the addresses, in order."""
        return self.then(checks.in_blocks(*blocks))

    def shows(self, **fields: object) -> Self:
        """The resource, or the first allocation, has these values."""
        return self.then(checks.shows(fields))

    def same_as(self, name: str) -> Self:
        """It answers what the step kept under that name did."""
        return self.then(checks.same_as(name))

    def other_etag_than(self, name: str) -> Self:
        """The resource was changed since the step kept under that name."""
        return self.then(checks.other_etag_than(name))

    def kept(self, name: str) -> Self:
        """Its answer is kept under a name for later steps."""
        return self.then(checks.kept(name))

    def counts(self, **expected: int) -> Self:
        """Of `usage`: capacity, assigned, cooling, reserved, available."""
        return self.then(checks.counts(expected))

    def open_blocks(self, expected: int) -> Self:
        """Of `usage`: how many blocks are open."""
        return self.then(checks.open_blocks(expected))

    def lists(self, *expected: str) -> Self:
        """Of `blocks`: all of them, as "cidr node", or "cidr" where one is of no node."""
        return self.then(checks.lists(*expected))

    def block_counts(self, cidr: str, **expected: int) -> Self:
        """Of `blocks`: capacity, assigned, cooling, reserved, available of one of them."""
        return self.then(checks.block_counts(cidr, expected))

    def explains(self, **expected: str) -> Self:
        """Of `explain`: pools in order, each with the rule that passes it over, or ""."""
        return self.then(checks.explains(expected))
