"""Who may have how much more, decided without a database."""

import collections
import dataclasses

import pytest

from moorage_server.domain import addresses, errors, model, resources
from moorage_server.domain.quotas import Count, Holder, Keeping, Kind, Quotas
from moorage_server.domain.setting import Contended
from moorage_server.domain.tally import Tally

SHOP = model.Workload(node="n1", namespace="shop")
N1, NAMESPACE = Holder(Kind.NODE, "n1"), Holder(Kind.NAMESPACE, "shop")
QUOTAS = Quotas(
    resources.Quotas(
        addresses_per_node=4,
        addresses_per_namespace=2,
        namespaces=(
            resources.NamespaceQuota(namespace="bank", addresses=7),
            resources.NamespaceQuota(namespace="free", addresses=0),
        ),
    )
)


def asking(count: int, workload: model.Workload = SHOP) -> model.AssignRequest:
    return model.AssignRequest(
        attachment=model.AttachmentKey(
            vrf="default", network="n", container_id="c", interface="eth0"
        ),
        addresses=(model.AddressRequest(family=addresses.Family.IPV4),) * count,
        facts=model.Facts(workload=workload),
    )


def counted(**held: int) -> Tally:
    tally = Tally()
    tally.count({each: Count(held[each.kind]) for each in (N1, NAMESPACE) if each.kind in held})
    return tally


def test_whose_quotas_count_for_whom() -> None:
    assert QUOTAS.of(SHOP) == {N1: 4, NAMESPACE: 2}
    of_bank = model.Workload(namespace="bank")
    assert QUOTAS.of(of_bank) == {Holder(Kind.NAMESPACE, "bank"): 7}
    assert QUOTAS.of(model.Workload(namespace="free")) == {}
    assert QUOTAS.of(model.Workload()) == {}
    assert Quotas().of(SHOP) == {}


def test_the_last_one_is_given_and_one_more_is_refused() -> None:
    counted(node=0, namespace=0).check(asking(2), (), QUOTAS)
    with pytest.raises(errors.QuotaExceeded) as refused:
        counted(node=0, namespace=1).check(asking(2), (), QUOTAS)
    assert refused.value.metadata == {
        "vrf": "default",
        "node": "",
        "namespace": "shop",
        "limit": "2",
        "held": "1",
        "asked": "2",
    }
    with pytest.raises(errors.QuotaExceeded, match='node "n1" holds 4 addresses'):
        counted(node=4, namespace=0).check(asking(1), (), QUOTAS)


def test_what_is_decided_since_counts(allocation: model.Allocation) -> None:
    tally = counted(node=3, namespace=0)
    tally.give(SHOP, 1)
    with pytest.raises(errors.QuotaExceeded):
        tally.check(asking(1), (), QUOTAS)
    tally.give_back(allocation, is_kept=False)
    tally.check(asking(1), (), QUOTAS)


def test_what_is_given_back_and_kept_counts_for_its_namespace_alone(
    allocation: model.Allocation,
) -> None:
    facts = dataclasses.replace(allocation.facts, owner_key="shop/db", sticky=60)
    kept = dataclasses.replace(allocation, facts=facts)
    tally = counted(node=4, namespace=2)
    tally.give_back(kept, is_kept=True)
    with pytest.raises(errors.QuotaExceeded) as refused:
        tally.check(asking(1), (), QUOTAS)
    assert (refused.value.metadata["namespace"], refused.value.metadata["held"]) == ("shop", "2")
    his = dataclasses.replace(asking(1), facts=dataclasses.replace(facts, sticky=0))
    tally.check(his, (), QUOTAS)


def test_who_has_more_than_his_quota_is_replaced_as_he_is(allocation: model.Allocation) -> None:
    full = counted(node=9, namespace=9)
    full.check(asking(1), (allocation,), QUOTAS)
    with pytest.raises(errors.QuotaExceeded) as refused:
        full.check(asking(2), (allocation,), QUOTAS)
    assert refused.value.metadata["asked"] == "1"


@pytest.mark.parametrize(
    ("keeping", "is_given"),
    [
        (Keeping("shop/web", "n", "eth0"), True),  # his own: he has it back
        (Keeping("shop/web", "n", "eth1"), False),
        (Keeping("shop/db", "n", "eth0"), False),
    ],
)
def test_what_is_kept_counts_but_for_whom_it_is_kept(keeping: Keeping, is_given: bool) -> None:
    tally = Tally()
    tally.count({N1: Count(), NAMESPACE: Count(held=1, kept=collections.Counter({keeping: 1}))})
    facts = dataclasses.replace(asking(1).facts, owner_key="shop/web")
    request = dataclasses.replace(asking(1), facts=facts)
    if is_given:
        tally.check(request, (), QUOTAS)
        return
    with pytest.raises(errors.QuotaExceeded) as refused:
        tally.check(request, (), QUOTAS)
    assert refused.value.metadata["held"] == "2"


def test_only_as_much_of_what_is_kept_is_had_back_as_is_asked_for() -> None:
    kept = collections.Counter({Keeping("shop/web", "n", "eth0"): 3})
    assert Count(held=1, kept=kept).beside(Keeping("shop/web", "n", "eth0"), 2) == 2


def test_whom_another_transaction_gives_something_is_waited_for() -> None:
    with pytest.raises(Contended):
        counted(node=0).check(asking(1), (), QUOTAS)
    counted().check(asking(1, model.Workload()), (), QUOTAS)


@pytest.fixture
def allocation() -> model.Allocation:
    """What the sandbox of before has."""
    return model.Allocation(
        attachment=asking(1).attachment,
        address=addresses.parse_address("10.0.0.1"),
        generation=1,
        block=addresses.parse_network("10.0.0.0/30"),
        assign_time=resources.NEVER,
        facts=model.Facts(workload=SHOP),
    )
