"""The spans of the agent: one of each CNI call, from when its forwarder began.

What the call does meanwhile, asking Kubernetes and a server, are parts of it. Loads OpenTelemetry.
"""

import logging
import time
from collections.abc import Callable

from opentelemetry.context import Context

import moorage
from moorage import telemetry
from moorage.agent import logs, wire
from moorage.cni import errors, handler, invocation

_LOG = logging.getLogger(__name__)

_LONGEST = 256  # characters of what a runtime has said


def begun() -> telemetry.Spans:
    """Return what sends spans from now on. Raises telemetry.Unfit."""
    return telemetry.Spans("moorage-agent", moorage.__version__, _complain)


def traced(
    spans: telemetry.Spans, call: wire.Call, handle: Callable[[wire.Call], handler.Reply]
) -> handler.Reply:
    """Answer a call, and tell of it."""
    with spans.tracer.start_as_current_span(
        _name(call),
        context=Context(),
        start_time=_began(call),
        attributes=_about(call),
        record_exception=False,
    ) as span:
        # Until then it waited for a worker, or was on its way here.
        span.add_event("taken by a worker")
        reply = handle(call)
        if reply.exit_code:
            code = reply.failed.code if reply.failed else errors.Code.INTERNAL
            span.set_attribute("moorage.cni.code", int(code))
            telemetry.failed(span, code.name)
        return reply


def _name(call: wire.Call) -> str:
    verb = call.environment.get("CNI_COMMAND", "")
    return f"cni {verb}" if verb in invocation.Verb.__members__ else "cni"


def _began(call: wire.Call) -> int:
    """On the clock of spans; the other one goes on while a machine sleeps, and is never set."""
    ago = time.clock_gettime_ns(time.CLOCK_BOOTTIME) - call.began
    return time.time_ns() - max(ago, 0)


def _about(call: wire.Call) -> dict[str, str]:
    args = invocation.parse_args(call.environment.get("CNI_ARGS", ""))
    known = {
        "container.id": call.environment.get("CNI_CONTAINERID", ""),
        "moorage.cni.interface": call.environment.get("CNI_IFNAME", ""),
        "k8s.namespace.name": args.get("K8S_POD_NAMESPACE", ""),
        "k8s.pod.name": args.get("K8S_POD_NAME", ""),
        "k8s.pod.uid": args.get("K8S_POD_UID", ""),
    }
    return {name: _text(value) for name, value in known.items() if value}


def _text(value: str) -> str:
    """Return so much of a value that was bytes, and may be no UTF-8."""
    return value[:_LONGEST].encode(errors="replace").decode()


def _complain(record: logging.LogRecord) -> None:
    # As it stands in the program, without what it was filled with: a collector's words.
    logs.tell(_LOG, logging.WARNING, "spans are not sent", why=str(record.msg))
