"""A node as its container runtime makes it behave, and as networks make it appear.

It assigns and releases, repeats what it is not sure of with the same attachment, sends some calls
twice, some late, some that nobody waits for; and it lists what it has. One node is one thread, so
it knows what it has as well as a runtime does, whatever the servers say.
"""

import dataclasses
import random
import time
from collections.abc import Callable, Sequence

from chaos.lines import Lines, Request, Sent
from chaos.papers import Papers, Sandbox
from chaos.records import Asked, Call, Outcome, Told
from moorage.v1 import reconciliation_pb2

MOST = 14  # sandboxes of a node
TRIES = 6
PAUSE = 0.05  # seconds before the third try, and so much more before each one after it
SETTLING = 30.0  # seconds in which what is in doubt must be resolved once nothing is wrong


class Node:
    """What one node has, and what is done to it."""

    def __init__(self, name: str, seed: int, lines: Lines) -> None:
        """Has nothing."""
        self.name = name
        self._chance = random.Random(f"{seed} {name}")
        self._lines = lines
        self._papers = Papers(name, self._chance)
        self.has: dict[str, Sandbox] = {}
        self._doubtful: set[str] = set()
        self._old_list: reconciliation_pb2.ReconcileNodeRequest | None = None
        self._steps: dict[Callable[[], None], int] = {
            self.add: 30,
            self.remove: 20,
            self.repeat: 10,
            self.restart: 6,
            self.replace: 7,
            self.add_twice: 5,
            self.give_up: 7,
            self.leak: 1,
            self.list: 4,
            self.list_late: 2,
            self.clean_up: 8,
        }

    def step(self) -> None:
        """Does the next thing."""
        if len(self.has) >= MOST:
            return self.remove()
        (taken,) = self._chance.choices(list(self._steps), weights=list(self._steps.values()))
        return taken()

    def settle(self) -> dict[str, Told]:
        """Resolves what is in doubt, by asking; returns what each attachment has."""
        until = time.monotonic() + SETTLING
        for container in sorted(self._doubtful):
            while not self._release(container):
                if time.monotonic() > until:
                    raise TimeoutError(f"{container} of {self.name} is in doubt for ever")
        return {each.container: each.told for each in self.has.values()}

    # What a runtime does.

    def add(self) -> None:
        """A pod gets its addresses; where it does not, it is cleaned up after, mostly."""
        made = self._papers.pod()
        ask = self._insist if self._chance.random() < 0.7 else self._once
        self._keep(made, ask(self._papers.of_assign(made), made.request))

    def remove(self) -> None:
        """A pod ends; sometimes its ADD arrives only now."""
        sandbox = self._any()
        if sandbox is None:
            return
        fenced = self._chance.random() < 0.3
        self._release(sandbox.container, sandbox.told if fenced else ())
        if self._chance.random() < 0.3:
            self._once(self._papers.of_assign(sandbox), sandbox.request)

    def repeat(self) -> None:
        """An ADD is sent again, by somebody who did not hear the answer or began anew."""
        sandbox = self._any()
        if sandbox is None:
            return
        if self._chance.random() < 0.5:
            sandbox.request.attempt.CopyFrom(self._papers.stamp())
        self._once(self._papers.of_assign(sandbox), sandbox.request)

    def restart(self) -> None:
        """DEL and ADD with the same container id; then the DEL arrives again."""
        sandbox = self._any()
        if sandbox is None:
            return
        of_its_time = self._papers.release(sandbox.container)
        of_its_addresses = self._papers.release(sandbox.container, sandbox.told)
        of_its_addresses.ClearField("attempt")
        if not self._release(sandbox.container):
            return
        sandbox.request.attempt.CopyFrom(self._papers.stamp())
        self._keep(sandbox, self._insist(self._papers.of_assign(sandbox), sandbox.request))
        for late in (of_its_time, of_its_addresses):
            self._once(self._papers.of_release(sandbox.container, late), late)

    def replace(self) -> None:
        """A new sandbox takes a pod's addresses over; the old one is taken down, or comes late."""
        old = self._any()
        if old is None:
            return
        new = self._papers.sandbox(old.pod)
        del new.request.addresses[:]
        new.request.addresses.extend(old.request.addresses)
        # Until an answer comes either may have them.
        del self.has[old.container]
        self._doubtful.add(old.container)
        self._keep(new, self._insist(self._papers.of_assign(new), new.request))
        if self._chance.random() < 0.5:
            self._once(self._papers.of_assign(old), old.request)
        self._release(old.container)

    def leak(self) -> None:
        """A pod goes, and nobody says so: its node's lists lack it from now on."""
        sandbox = self._any()
        if sandbox is not None:
            del self.has[sandbox.container]
            self._doubtful.add(sandbox.container)

    def clean_up(self) -> None:
        """What is in doubt is released, as a runtime does that found out late."""
        if self._doubtful:
            self._release(self._chance.choice(sorted(self._doubtful)))

    def list(self) -> None:
        """Says what it has."""
        request = self._papers.listing(sorted(self.has))
        self._once(self._papers.of_list(request), request)

    def list_late(self) -> None:
        """Says what it had before its newest sandbox, and again later: neither must harm that."""
        if self._old_list is None:
            self._old_list = self._papers.listing(sorted(self.has))
            self.add()
        self._once(self._papers.of_list(self._old_list), self._old_list)
        if self._chance.random() < 0.5:
            self._old_list = None

    # What networks and impatience make of it.

    def add_twice(self) -> None:
        """An ADD reaches two servers at the same time."""
        made = self._papers.pod()
        asked = self._papers.of_assign(made)
        both = [self._lines.send(asked, made.request, server) for server in (0, 1)]
        heard = [self._lines.hear(each) for each in both]
        done = next((each for each in heard if each.outcome is Outcome.DONE), None)
        self._keep(made, done or self._insist(asked, made.request), before=heard)

    def give_up(self) -> None:
        """A call is cancelled, or its time is over, at any moment of it."""
        made = self._papers.pod()
        sandbox = self._any() if self._chance.random() < 0.4 else None
        if sandbox is None:
            self._doubtful.add(made.container)
            self._briefly(self._papers.of_assign(made), made.request)
            self._release(made.container)
            return
        request = self._papers.release(sandbox.container)
        del self.has[sandbox.container]
        self._doubtful.add(sandbox.container)
        self._briefly(self._papers.of_release(sandbox.container, request), request)

    def _briefly(self, asked: Asked, request: Request) -> None:
        server, moment = self._server(), self._chance.uniform(0.001, 0.04)
        if self._chance.random() < 0.5:
            self._lines.hear(self._lines.send(asked, request, server, patience=moment))
            return
        sent: Sent = self._lines.send(asked, request, server)
        time.sleep(moment)
        sent.future.cancel()
        self._lines.hear(sent)

    # How it asks.

    def _insist(self, asked: Asked, request: Request) -> Call:
        """Sends a call until it is answered; the last try, UNKNOWN where an earlier one was."""
        in_doubt = False
        for attempt in range(TRIES):
            call = self._once(asked, request)
            in_doubt |= call.outcome is Outcome.UNKNOWN
            if call.outcome is Outcome.DONE or call.reason not in _LATER | _IN_DOUBT:
                break
            time.sleep(PAUSE * attempt)
        if in_doubt and call.outcome is Outcome.REFUSED:
            return dataclasses.replace(call, outcome=Outcome.UNKNOWN)
        return call

    def _once(self, asked: Asked, request: Request) -> Call:
        return self._lines.hear(self._lines.send(asked, request, self._server()))

    def _server(self) -> int:
        """Any, and seldom the last: that one is there only now and then."""
        last = len(self._lines) - 1
        return last if self._chance.random() < 0.08 else self._chance.randrange(last)

    def _keep(self, made: Sandbox, call: Call, *, before: Sequence[Call] = ()) -> None:
        """Notes what became of an ADD."""
        in_doubt = any(each.outcome is Outcome.UNKNOWN for each in [call, *before])
        if call.outcome is Outcome.DONE:
            made.told = call.told
            self.has[made.container] = made
            self._doubtful.discard(made.container)
        elif in_doubt:
            self._doubtful.add(made.container)
            self._release(made.container)
        # Of what was refused nothing is left, and nobody cleans up after it.

    def _release(self, container: str, told: Told = ()) -> bool:
        """Has an attachment released; whether it surely is."""
        self.has.pop(container, None)
        self._doubtful.add(container)
        request = self._papers.release(container, told)
        call = self._insist(self._papers.of_release(container, request), request)
        if call.outcome is Outcome.DONE:
            self._doubtful.discard(container)
        return call.outcome is Outcome.DONE

    def _any(self) -> Sandbox | None:
        return self.has[self._chance.choice(sorted(self.has))] if self.has else None


# A later try can mend these; what is said otherwise is said for good.
_LATER = {"DATABASE_UNAVAILABLE", "CONTENTION", "SERVER_BUSY", "DEADLINE_TOO_SHORT"}
_IN_DOUBT = {"OUTCOME_UNKNOWN", "UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED", "cancelled"}
