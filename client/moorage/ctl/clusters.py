"""Of which cluster a list is: of what is held for the pods of others it says nothing."""

from __future__ import annotations

import collections
from collections.abc import Callable, Iterable

import click

from moorage.ctl import exits
from moorage.v1 import resources_pb2

NONE = "none"  # no uid is like it
UID_COMMAND = "kubectl get namespace kube-system -o jsonpath='{.metadata.uid}'"

_SHOWN = 10

_Function = Callable[..., None]


class _Cluster(click.ParamType[str]):
    """The uid of a cluster, or the word for none, which becomes an empty one."""

    name = "cluster"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the uid. Nothing at all is what a command that failed has printed."""
        if not value:
            self.fail(f"it is empty; give the uid that this prints: {UID_COMMAND}", param, ctx)
        return "" if value == NONE else value


def option(text: str) -> Callable[[_Function], _Function]:
    """Return the option that says which cluster is meant, as `cluster`."""
    return click.option("--cluster", type=_Cluster(), metavar=f"UID|{NONE}", help=text)


def count(allocations: Iterable[resources_pb2.Allocation]) -> collections.Counter[str]:
    """Return how many addresses are held for each cluster, "" being none."""
    return collections.Counter(each.workload.cluster for each in allocations)


def refused(held: collections.Counter[str], *, holder: str) -> exits.Failed:
    """Return the failure where a list may be of other pods than those that hold addresses."""
    each = [f"{uid or NONE} ({number})" for uid, number in held.most_common(_SHOWN)]
    more = [f"{len(held) - _SHOWN} more"] if len(held) > _SHOWN else []
    return exits.refused(
        f"{holder} holds addresses of pods for cluster {', '.join([*each, *more])}, and a list of "
        "one says nothing of the others; say of which it is: --cluster with the uid that this "
        f"prints: {UID_COMMAND}; or {NONE}, for what was assigned for no cluster"
    )
