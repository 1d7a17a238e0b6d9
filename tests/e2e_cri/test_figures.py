"""What a pod's sandbox costs with Moorage, beside the reference plugin that keeps files."""

import statistics
import time

import pytest

from e2e import containerd, ipams
from e2e_cri import node

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

SANDBOXES = 12
SUBNET = "10.97.0.0/24"


def test_figures_of_a_sandbox_beside_host_local(
    worker: node.Node, moorage: ipams.Moorage, programs: node.Programs
) -> None:
    ours, theirs = [], []
    host_local = {"type": "host-local", "dataDir": "/run/host-local", "subnet": SUBNET}
    with node.booted(programs, host_local) as reference:
        # By turns, so that both meet the same machine.
        for number in range(SANDBOXES):
            ours.append(_lived(worker, number))
            theirs.append(_lived(reference, number))
    print(f"\nmedians of {SANDBOXES} sandboxes, ms    {'run':>6} {'stop':>6}")
    for name, lives in (("host-local", theirs), ("moorage", ours)):
        run, stop = (1000 * statistics.median(column) for column in zip(*lives, strict=True))
        print(f"{name:<32} {run:6.0f} {stop:6.0f}")
    assert moorage.assigned() == set()


def _lived(on: node.Node, number: int) -> tuple[float, float]:
    pod = containerd.Pod(
        namespace=node.NAMESPACE, name=f"timed-{number}", uid=f"timed-{number}", annotations={}
    )
    began = time.perf_counter()
    sandbox = on.run(pod)
    ran = time.perf_counter()
    on.cri.stop(sandbox)
    stopped = time.perf_counter()
    on.remove(sandbox)
    return ran - began, stopped - ran
