"""What happens on the way from a server to PostgreSQL."""

import threading

from chaos.faults.scene import SPRUNG, Fault, Scene, fault
from chaos.wire import Moment

AT_ONCE = 4  # connections that one trap cuts, one after the other


def _at(moment: Moment) -> Fault:
    def strike(scene: Scene) -> int:
        struck = 0
        for _ in range(AT_ONCE):
            trap = scene.server().wire.set_trap(moment)
            struck += trap.sprung.wait(SPRUNG)
        return struck

    name = moment.name.lower().replace("_", " ")
    return Fault(
        name=f"cut, {name}", says=f"A connection is cut when {moment.value}.", strike=strike
    )


CUTS = [_at(each) for each in Moment]


@fault
def commit_delayed(scene: Scene) -> int:
    """A COMMIT arrives late, when its callers have long given it up."""
    return _delayed(scene, Moment.COMMIT_UNSENT)


@fault
def answer_of_commit_delayed(scene: Scene) -> int:
    """What was committed is told late, when the server has another opinion already."""
    return _delayed(scene, Moment.COMMIT_TOLD)


def _delayed(scene: Scene, moment: Moment) -> int:
    """Holds up whoever comes to a moment, and lets it go on; nothing is cut."""
    arrive = threading.Event()
    trap = scene.server().wire.set_trap(moment, lambda: _until(arrive), cuts=False)
    scene.last(1, 4)
    arrive.set()
    return int(trap.sprung.wait(SPRUNG))


def _until(arrive: threading.Event) -> None:
    arrive.wait(SPRUNG)


@fault
def wire_slow(scene: Scene) -> int:
    """Everything takes its time between a server and PostgreSQL."""
    scene.server().wire.delay = scene.chance.uniform(0.005, 0.05)
    scene.go_on(60)
    return 1


@fault
def wire_dripping(scene: Scene) -> int:
    """What is sent to PostgreSQL and back arrives a few bytes at a time."""
    scene.server().wire.piece = scene.chance.randrange(1, 5)
    scene.go_on(60)
    return 1


@fault
def wire_dead(scene: Scene) -> int:
    """Nothing comes back from PostgreSQL, and nobody is told; then it all does."""
    wire = scene.server().wire
    wire.hold()
    scene.stand_still()
    wire.mend()
    return 1


@fault
def wire_dead_for_good(scene: Scene) -> int:
    """Nothing comes back from PostgreSQL; then every connection is found cut."""
    wire = scene.server().wire
    wire.hold()
    scene.last(0.3, 2)
    wire.drop()
    return 1


@fault
def wire_reset(scene: Scene) -> int:
    """Every connection of a server to PostgreSQL is reset."""
    return int(scene.server().wire.reset() > 0)


@fault
def wire_half_closed(scene: Scene) -> int:
    """Of every connection to PostgreSQL one direction ends."""
    return int(scene.server().wire.half_close(scene.chance) > 0)


@fault
def wire_refused(scene: Scene) -> int:
    """A server cannot connect to PostgreSQL for a while."""
    wire = scene.server().wire
    wire.leave()
    scene.last(0.2, 1.5)
    wire.come_back()
    return 1
