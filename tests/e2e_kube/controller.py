"""moorage-controller on a machine, as deploy/base/controller has a cluster run it."""

import re
from collections.abc import Mapping

from e2e import ipams, machine
from e2e_kube.authority import API
from e2e_kube.control_plane import NAMESPACE, ControlPlane
from moorage.install import credentials

WORKLOAD = "deployment/moorage-controller"
ACCOUNT = "moorage-controller"
CLUSTER = "lab"
GRACE_S = 60  # the shortest that it takes
# A leak is suspect in the first round, and goes in the first one after the grace.
COLLECTED_WITHIN_S = 2 * GRACE_S

_RELEASED = re.compile(r" released: (\S+) of pod (\S+) \(uid (\S+),")


class Controller:
    """The only one, with the rights of its account and no others."""

    def __init__(
        self, host: machine.Machine, plane: ControlPlane, ipam: Mapping[str, object]
    ) -> None:
        """Started, and about to lead."""
        folder = host.directory / "controller"
        folder.mkdir()
        kubeconfig = folder / "kubeconfig"
        kubeconfig.write_bytes(credentials.kubeconfig(plane.account(ACCOUNT), API))
        program, *options = plane.command(WORKLOAD, "controller")
        self._daemon = host.start(
            str(ipams.PROGRAMS / program),
            *options,
            f"--server={ipam['server']}",
            f"--vrf={ipam['vrf']}",
            f"--cluster-name={CLUSTER}",
            f"--kubeconfig={kubeconfig}",
            f"--lease-namespace={NAMESPACE}",
            f"--grace={GRACE_S}s",
            "--every=2s",
        )

    def stop(self) -> None:
        """Ends it as an operator would."""
        self._daemon.stop()

    @property
    def log(self) -> str:
        """What it has said."""
        return self._daemon.log.read_text()

    def released(self) -> list[tuple[str, str, str]]:
        """The address, the pod and its uid of every release that it has told of."""
        return _RELEASED.findall(self.log)
