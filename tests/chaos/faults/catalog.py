"""Every kind of fault."""

from collections.abc import Iterator
from types import ModuleType

from chaos.faults import fronts, operators, postgresql, servers, strangers, wires
from chaos.faults.scene import Fault


def _of(module: ModuleType) -> Iterator[Fault]:
    return (each for each in vars(module).values() if isinstance(each, Fault))


BY_NAME = {
    each.name: each
    for each in (
        *(each for module in (servers, postgresql, wires) for each in _of(module)),
        *wires.CUTS,
        *(each for module in (fronts, strangers, operators) for each in _of(module)),
    )
}
