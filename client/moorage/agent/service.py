"""Answers the calls that forwarders bring, many at a time, until it is told to stop."""

import json
import logging
import os
import select
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from moorage import traces
from moorage.agent import host, logs, places, wire
from moorage.cni import errors, handler, incident

# A node has 110 pods, and each may have an ADD that waits for a server that is away. A DEL does
# not, and must find a worker all the same.
WORKERS = 128
# More wait for a worker than this many only if something is wrong; the others go their own way.
MOST_WAITING = 256
ACCEPT_PAUSE = 0.1  # seconds
# How long calls that were begun may take after the end of all others. What then goes on is cut off
# and made again, by the next agent or without one. Others wait for that agent meanwhile, and must
# not lose patience: see `install.launcher.PATIENCE`.
FINISHED_WITHIN = 5.0

_LOG = logging.getLogger(__name__)


class Service:
    """The calls of a node, and the workers that answer them."""

    def __init__(self, node: host.Node) -> None:
        """Begins with `run`."""
        self._node = node
        self._open = 0
        self._closed_one = threading.Condition()
        self._answered = 0

    def run(self, listeners: places.Listeners, stop: socket.socket) -> int:
        """Answer until there is something to read from `stop`, then finish what was begun.

        Returns how many calls are not finished in time; their workers go on.
        """
        threading.Thread(
            target=self._tell_who_asks, args=(listeners.status,), name="status", daemon=True
        ).start()
        workers = ThreadPoolExecutor(WORKERS, thread_name_prefix="call")
        self._accept(listeners.calls, stop, workers)
        # Whoever is not let in yet is told so, and goes on without this agent.
        listeners.calls.close()
        logs.tell(_LOG, logging.INFO, "finishes the calls that it has begun", calls=self._open)
        workers.shutdown(wait=False)
        with self._closed_one:
            self._closed_one.wait_for(lambda: not self._open, FINISHED_WITHIN)
            return self._open

    def _accept(
        self, listener: socket.socket, stop: socket.socket, workers: ThreadPoolExecutor
    ) -> None:
        poll = select.poll()
        for each in (listener, stop):
            poll.register(each, select.POLLIN)
        while stop.fileno() not in dict(poll.poll()):
            connection = _accepted(listener)
            if connection is None:
                continue
            if self._open < WORKERS + MOST_WAITING:
                with self._closed_one:
                    self._open += 1
                workers.submit(self._serve, connection)
            else:
                connection.close()
                logs.tell(_LOG, logging.WARNING, "turned a call away: too many wait")

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection:
                self._answer(connection)
        except (wire.Malformed, OSError) as error:
            said = str(error) if isinstance(error, wire.Malformed) else ""
            kind = type(error).__name__
            logs.tell(_LOG, logging.WARNING, "gave a call up", error=kind, why=said)
        except Exception as error:  # the outermost frame of a thread: the agent goes on
            where = incident.places(error)
            logs.tell(_LOG, logging.ERROR, "fault", error=type(error).__name__, at=where)
        finally:
            with self._closed_one:
                self._open -= 1
                self._closed_one.notify()

    def _answer(self, connection: socket.socket) -> None:
        call = wire.receive(connection)
        if wire.is_gone(connection):
            return  # it waited for a worker, and has gone on without an agent
        wire.take(connection)
        began = time.monotonic()
        reply = self._traced(call)
        _tell(call, reply, time.monotonic() - began)
        self._answered += 1
        is_heard = wire.answer(connection, reply)
        # An ADD that failed has assigned nothing; an earlier one may have, and was heard.
        is_add = call.environment.get("CNI_COMMAND") == "ADD" and not reply.exit_code
        if is_add and not is_heard:
            self._take_back(call)

    def _traced(self, call: wire.Call) -> handler.Reply:
        if traces.spans is None:
            return self._handle(call)
        from moorage.agent import spans  # noqa: PLC0415 - loads OpenTelemetry

        return spans.traced(traces.spans, call, self._handle)

    def _handle(self, call: wire.Call) -> handler.Reply:
        try:
            return handler.handle(call.environment, call.stdin, self._node, call.began)
        except Exception as error:  # whatever it is, the runtime gets a document
            logs.tell(
                _LOG,
                logging.ERROR,
                "fault",
                error=type(error).__name__,
                at=incident.places(error),
            )
            return handler.Reply(stdout=incident.document(error), exit_code=1)

    def _take_back(self, call: wire.Call) -> None:
        # Nobody heard which addresses they are, so nobody is going to use them. As of when the ADD
        # began: its caller may have asked again without an agent, and keeps what it was told then.
        delete = {**call.environment, "CNI_COMMAND": "DEL"}
        reply = handler.handle(delete, call.stdin, self._node, call.began)
        logs.tell(_LOG, logging.WARNING, "took back what nobody heard of", code=reply.exit_code)

    def _tell_who_asks(self, listener: socket.socket) -> None:
        while listener.fileno() >= 0:  # not closed
            connection = _accepted(listener)
            if connection is None:
                continue
            with connection:
                self._tell_one(connection)

    def _tell_one(self, connection: socket.socket) -> None:
        try:
            connection.sendall(self._report())
        except OSError:
            pass  # it has gone without the answer
        except Exception as error:  # whatever it is, the next one is told again
            logs.tell(_LOG, logging.ERROR, "cannot say how it is", error=type(error).__name__)

    def _report(self) -> bytes:
        waiting = self._node.journal.oldest_first()
        servers = {each.server for each in waiting}
        about = {
            "pid": os.getpid(),
            "calls": self._answered,
            "sent_again": self._node.repeated.count,
            "releases_waiting": len(waiting),
            "servers_away": sorted(filter(self._node.sender.is_away, servers)),
            "namespace_watches": self._node.namespaces.current(),
        }
        return json.dumps(about).encode() + b"\n"


def _accepted(listener: socket.socket) -> socket.socket | None:
    try:
        return listener.accept()[0]
    except OSError as error:  # so many are open that there is no room for another
        kind = type(error).__name__
        logs.tell(_LOG, logging.ERROR, "cannot let a call in", error=kind, why=str(error))
        time.sleep(ACCEPT_PAUSE)
        return None


def _tell(call: wire.Call, reply: handler.Reply, seconds: float) -> None:
    fields = {
        "verb": call.environment.get("CNI_COMMAND", "")[:10],
        "container": call.environment.get("CNI_CONTAINERID", "")[:128],
        "interface": call.environment.get("CNI_IFNAME", "")[:15],
        "milliseconds": round(seconds * 1e3, 1),
    }
    if reply.exit_code:
        logs.tell(_LOG, logging.WARNING, "a call failed", **_why(reply), **fields)
    else:
        logs.tell(_LOG, logging.DEBUG, "a call", **fields)


def _why(reply: handler.Reply) -> dict[str, object]:
    if reply.failed is None:
        return {"code": int(errors.Code.INTERNAL)}
    return {"code": int(reply.failed.code), **logs.request(reply.failed)}
