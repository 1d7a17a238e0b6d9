"""Answers one plugin call: environment and standard input in, standard output and exit code out.

Knows no process: plugin runs it in one of its own, `moorage.agent` for a whole node. What differs
between the two is their host. A verb loads what it needs when it is asked for: in a process of one
call, loading is what costs.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from moorage.cni import errors, invocation, netconf, release, versions
from moorage.cni.deadline import Deadline
from moorage.cni.host import Host
from moorage.cni.invocation import Invocation, Verb

# A runtime repeats a DEL that failed; one that hangs holds up the pod's whole deletion.
LONGEST_DEL = 20.0

# CRI-O gives 30 seconds.
LONGEST_GC = 25.0
# A runtime made its list before it called, and does not say when; an ADD takes 5 minutes at most
# (CRI-O), so what began earlier has ended, and is on the list if it is valid.
GC_MARGIN = 300.0

_SINCE = {Verb.ADD: "0.1.0", Verb.DEL: "0.1.0", Verb.CHECK: "0.4.0"}
_SINCE |= {Verb.GC: "1.1.0", Verb.STATUS: "1.1.0"}


class Reply(NamedTuple):
    """What the program prints, one JSON document or nothing, and how it ends.

    `failed` is why, where it failed; the document says it to a runtime.
    """

    stdout: bytes
    exit_code: int
    failed: errors.CniError | None = None


def handle(environment: Mapping[str, str], stdin: bytes, host: Host, began: int) -> Reply:
    """Answers a call that began at that time of the boot-time clock, in nanoseconds.

    Every failure that was thought of is an answer too.
    """
    try:
        return Reply(stdout=_answer(environment, stdin, host, began), exit_code=0)
    except errors.CniError as error:
        return failure(error, stdin)


def failure(error: errors.CniError, stdin: bytes = b"") -> Reply:
    """Answers that the call failed, in the version that stdin asks for."""
    document = errors.document(error, versions.answered(stdin))
    return Reply(stdout=document, exit_code=1, failed=error)


def _answer(environment: Mapping[str, str], stdin: bytes, host: Host, began: int) -> bytes:
    call = invocation.parse(environment, began)
    if call.verb is Verb.VERSION:
        return versions.document(stdin)
    conf = netconf.parse(stdin)
    netconf.require_version(conf, _SINCE[call.verb], call.verb)
    if call.verb in (Verb.ADD, Verb.DEL):
        invocation.refuse_own_netns(environment)
    return _VERBS[call.verb](conf, call, host)


def _add(conf: netconf.NetConf, call: Invocation, host: Host) -> bytes:
    from moorage.cni import adding  # noqa: PLC0415 - this verb's own

    return adding.add(conf, call, host)


def _del(conf: netconf.NetConf, call: Invocation, host: Host) -> bytes:
    deadline = Deadline.after(min(conf.timeout_seconds, LONGEST_DEL))
    host.release(release.of(conf, call), deadline)
    return b""


def _check(conf: netconf.NetConf, call: Invocation, host: Host) -> bytes:
    from moorage.cni import result  # noqa: PLC0415 - this verb's own

    previous = result.previous_addresses(conf)
    from moorage.cni import calls  # noqa: PLC0415 - loads gRPC

    held = calls.held(host, conf, call, Deadline.after(conf.timeout_seconds))
    result.compare(previous, held)
    return b""


def _status(conf: netconf.NetConf, _: Invocation, __: Host) -> bytes:
    from moorage.cni import settings  # noqa: PLC0415 - this verb's own

    # The server is not asked: a runtime takes a failure for a node that is not ready, and a short
    # absence of the server is no reason to take pods away from it.
    settings.parse(conf)
    return b""


def _gc(conf: netconf.NetConf, call: Invocation, host: Host) -> bytes:
    from moorage.cni import settings, valid_attachments  # noqa: PLC0415 - this verb's own

    valid = valid_attachments.read(conf)
    if valid is None:
        return b""  # nothing is said of what is valid, so nothing is known not to be
    chosen = settings.parse(conf)
    node = settings.node_name(chosen)
    from moorage import attempts  # noqa: PLC0415 - loads protobuf
    from moorage.cni import calls  # noqa: PLC0415 - loads gRPC

    deadline = Deadline.after(min(conf.timeout_seconds, LONGEST_GC))
    attempt = attempts.stamp(at=call.began, ago=GC_MARGIN)
    calls.reconcile(
        host,
        conf,
        valid,
        node,
        cluster_uid=chosen.cluster_uid,
        attempt=attempt,
        deadline=deadline,
    )
    return b""


_VERBS: Mapping[Verb, Callable[[netconf.NetConf, Invocation, Host], bytes]] = {
    Verb.ADD: _add,
    Verb.DEL: _del,
    Verb.CHECK: _check,
    Verb.STATUS: _status,
    Verb.GC: _gc,
}
