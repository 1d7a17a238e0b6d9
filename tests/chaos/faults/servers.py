"""What happens to servers."""

import os
import signal

from chaos.faults.scene import SPRUNG, Scene, fault
from chaos.wire import Moment


@fault
def server_killed(scene: Scene) -> int:
    """A server is killed, and started again."""
    server = scene.server()
    server.kill()
    scene.last(0, 0.5)
    server.start()
    return 1


@fault
def server_killed_at_commit(scene: Scene) -> int:
    """A server is killed when its COMMIT has been sent and it has not heard of it."""
    server = scene.server()
    moments = (Moment.COMMIT_UNSENT, Moment.COMMIT_SENT, Moment.COMMIT_TOLD)
    trap = server.wire.set_trap(scene.chance.choice(moments), lambda: os.kill(server.pid, 9))
    struck = trap.sprung.wait(SPRUNG)
    server.kill()
    server.mend()
    return int(struck)


@fault
def server_frozen(scene: Scene) -> int:
    """A server stands still, its transactions open, and then goes on as if nothing were."""
    server = scene.server()
    os.kill(server.pid, signal.SIGSTOP)
    scene.stand_still()
    os.kill(server.pid, signal.SIGCONT)
    return 1


@fault
def server_stopped(scene: Scene) -> int:
    """A server is told to stop, finishes what it has, and another takes its place."""
    server = scene.server()
    server.stop()
    server.start()
    return 1


@fault
def server_moved(scene: Scene) -> int:
    """What a server is called leads to another one at another place, while the old one is gone."""
    scene.server().move()
    return 1


@fault
def server_joins_and_leaves(scene: Scene) -> int:
    """One more server comes, works, and is killed."""
    joining = scene.stage.servers[-1]
    joining.start()
    scene.go_on(100)
    joining.kill()
    return 1
