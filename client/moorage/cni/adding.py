"""What an ADD does: finds out what is asked for and for whom, and has the server assign it.

The largest part of the program, by what it loads too: no other verb needs it.
"""

from moorage.cni import annotations, netconf, release, result, runtime_ips, settings, subject
from moorage.cni.deadline import Deadline
from moorage.cni.host import Host
from moorage.cni.invocation import Invocation


def add(conf: netconf.NetConf, call: Invocation, host: Host) -> bytes:
    """Returns the result, for the runtime.

    Raises:
        CniError: whatever is wrong with the input, the server or what it was asked for.
    """
    deadline = Deadline.after(conf.timeout_seconds)
    chosen = settings.parse(conf)
    fixed = runtime_ips.read(conf, call)
    node = settings.node_name(chosen)
    described = subject.describe(conf, call, chosen.cluster, host, deadline)
    wanted = annotations.resolve(described.pod, described.namespace, chosen, fixed)
    from moorage.cni import calls, request  # noqa: PLC0415 - loads gRPC

    workload = request.workload(call, described, node, chosen.cluster_uid)
    host.settle(release.of(conf, call), deadline)
    allocations = calls.assign(host, conf, call, wanted, workload=workload, deadline=deadline)
    return result.render(allocations, conf.cni_version)
