"""Histories of a VRF, thought up by Hypothesis: after each step the answer is one the rules allow.

On several drivers at once, which then answer alike as well.
"""

import enum
from collections.abc import Sequence

from hypothesis import strategies as some
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from harness.world import any_ipv4, any_ipv6, fixed
from model.drivers import Answer, Driver
from model.pools import BY_NAME
from model.rules import Rules
from moorage_server.domain import model


class Guard(enum.Enum):
    """Which generations a release names."""

    NONE = "none"
    ALL = "all that is held"
    FIRST = "that of the first address"
    PAST = "one that is gone"


# Of the first four, two each are sandboxes of one pod.
CONTAINERS = some.sampled_from([f"c{at}" for at in range(7)])
PODS = {"c0": "pod-0", "c1": "pod-0", "c2": "pod-1", "c3": "pod-1"}
WANTS = some.sampled_from(
    [
        (any_ipv4(),),
        (any_ipv4("cool"),),
        (any_ipv4("node"),),
        (any_ipv4("node", "cool"),),
        (any_ipv6(), any_ipv4()),
        (any_ipv4("cool"), any_ipv6("six")),
        (fixed("10.0.0.1"),),
        (fixed("10.0.0.1", "10.0.1.2"),),
        (fixed("10.0.1.5", "10.0.0.2"), fixed("fd00::3")),
        (any_ipv6(),),
    ]
)
# What can be reserved: half of each pool, and all of one.
CIDRS = ("10.0.0.0/31", "10.0.1.0/29", "fd00::2/127")


class Histories(RuleBasedStateMachine):
    """One VRF, on every driver that `drivers` makes."""

    def __init__(self) -> None:
        """Begins with nothing held."""
        super().__init__()
        self._drivers = self.drivers()
        self._rules = [Rules() for _ in self._drivers]
        self._moment = 100

    def drivers(self) -> Sequence[Driver]:
        """What this history is played on."""
        raise NotImplementedError

    @rule(container=CONTAINERS, wants=WANTS, node=some.sampled_from(["n1", "n2", ""]))
    def assign(self, container: str, wants: tuple[model.AddressRequest, ...], node: str) -> None:
        """A container gets its addresses, anew or again."""
        self._moment += 10
        self._assign(container, wants, node, self._moment)

    @rule(container=CONTAINERS, wants=WANTS, late=some.integers(min_value=0, max_value=40))
    def assign_late(
        self, container: str, wants: tuple[model.AddressRequest, ...], late: int
    ) -> None:
        """An ADD arrives that was sent some time ago, or is sent again."""
        self._assign(container, wants, "n1", self._moment - late)

    @rule(
        container=CONTAINERS,
        guard=some.sampled_from(Guard),
        late=some.sampled_from([0, 0, 0, 5, 10, 25]),
    )
    def release(self, container: str, guard: Guard, late: int) -> None:
        """A DEL, of the moment or of a while ago."""
        self._moment += 10
        attempt = _stamp(self._moment - late)
        answers = []
        for driver, rules in zip(self._drivers, self._rules, strict=True):
            generations = _generations(rules, container, guard)
            request = model.ReleaseRequest(
                attachment=_key(container), attempt=attempt, generations=generations
            )
            answers.append(driver.answer(request))
            rules.judge_release(request, answers[-1])
        _require_alike(answers)

    @rule(cidr=some.sampled_from(CIDRS))
    def reserve(self, cidr: str) -> None:
        """Addresses are hidden, or hidden no more."""
        for driver, rules in zip(self._drivers, self._rules, strict=True):
            if cidr in rules.reserved:
                driver.give_up(cidr)
            else:
                driver.reserve(cidr)
            rules.reserved ^= {cidr}

    @rule(pool=some.sampled_from(sorted(BY_NAME)))
    def disable(self, pool: str) -> None:
        """A pool is closed, or opened again."""
        for driver, rules in zip(self._drivers, self._rules, strict=True):
            driver.disable(pool, pool not in rules.disabled)
            rules.disabled ^= {pool}

    @precondition(lambda self: any(rules.ready for rules in self._rules))
    @rule(ticks=some.integers(min_value=1, max_value=3))
    def pass_time(self, ticks: int) -> None:
        """Addresses cool down."""
        for driver, rules in zip(self._drivers, self._rules, strict=True):
            driver.pass_time(ticks)
            rules.tick += ticks

    def _assign(
        self, container: str, wants: tuple[model.AddressRequest, ...], node: str, moment: int
    ) -> None:
        pod = PODS.get(container, "")
        # A pod stays where it is.
        workload = model.Workload(node="n1" if pod else node, pod_uid=pod)
        request = model.AssignRequest(
            attachment=_key(container),
            addresses=wants,
            facts=model.Facts(workload=workload),
            attempt=_stamp(moment),
        )
        answers = []
        for driver, rules in zip(self._drivers, self._rules, strict=True):
            answers.append(driver.answer(request))
            rules.judge_assign(request, answers[-1])
        _require_alike(answers)


def _generations(rules: Rules, container: str, guard: Guard) -> frozenset[int]:
    known = rules.known.get(container)
    held = [each.generation for each in known.held] if known else []
    return {
        Guard.NONE: frozenset[int](),
        Guard.ALL: frozenset(held),
        Guard.FIRST: frozenset(held[:1]),
        Guard.PAST: frozenset([min(held, default=1) - 1 or 10**9]),
    }[guard]


def _require_alike(answers: Sequence[Answer]) -> None:
    told = [each if isinstance(each, str) else [str(a.address) for a in each] for each in answers]
    assert all(each == told[0] for each in told), f"the drivers answer differently: {told}"


def _key(container: str) -> model.AttachmentKey:
    return model.AttachmentKey(
        vrf="default", network="pods", container_id=container, interface="eth0"
    )


def _stamp(moment: int) -> model.AttemptStamp:
    return model.AttemptStamp(boot_id="boot", boot_time_ns=moment)
