"""What happens on the way from clients to a server."""

from chaos.faults.scene import Scene, fault


@fault
def front_reset(scene: Scene) -> int:
    """Every connection to a server is reset."""
    return int(scene.server().front.reset() > 0)


@fault
def answers_lost(scene: Scene) -> int:
    """What a server answers is lost, with the connections that it was on."""
    front = scene.server().front
    front.hold()
    scene.last(0.1, 1.5)
    front.drop()
    return 1


@fault
def answers_late(scene: Scene) -> int:
    """What a server answers arrives late, mostly when nobody waits any more."""
    front = scene.server().front
    front.hold()
    scene.last(0.5, 4)
    front.mend()
    return 1


@fault
def front_slow(scene: Scene) -> int:
    """Everything takes its time between clients and a server."""
    scene.server().front.delay = scene.chance.uniform(0.01, 0.1)
    scene.go_on(60)
    return 1


@fault
def front_dripping(scene: Scene) -> int:
    """What is sent to a server and back arrives a few bytes at a time."""
    scene.server().front.piece = scene.chance.randrange(1, 9)
    scene.go_on(60)
    return 1


@fault
def front_half_closed(scene: Scene) -> int:
    """Of every connection to a server one direction ends."""
    return int(scene.server().front.half_close(scene.chance) > 0)


@fault
def front_refused(scene: Scene) -> int:
    """Nobody can connect to a server for a while."""
    front = scene.server().front
    front.leave()
    scene.last(0.2, 1.5)
    front.come_back()
    return 1
