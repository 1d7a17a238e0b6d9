"""The namespaces of each cluster, kept up to date by list and watch, or not answered from.

What is known is only answered with while a watch is heard of; else, and for a namespace that is not
known, the API is asked as the plugin in a process of its own asks it. So nothing here can fail a
call: it can only save one a question.
"""

import contextlib
import logging
import threading
import time

from moorage import jitter, kube, traces
from moorage.agent import logs, namespace_feed
from moorage.cni import incident, kubeconfig, kubernetes, settings
from moorage.cni.deadline import Deadline
from moorage.cni.kubeconfig import Access
from moorage.cni.kubernetes import Metadata

# Clusters, or credentials for one; those whose files were renewed are not asked for any more.
MOST = 4
UNASKED = 600.0
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 30.0

_LOG = logging.getLogger(__name__)


class Namespaces:
    """One watch for each API server and identity that calls come with."""

    def __init__(self) -> None:
        """Watches nothing yet."""
        self._lock = threading.Lock()
        self._watches: dict[Access, _Watch] = {}

    def api(self, cluster: settings.Cluster, deadline: Deadline) -> kubernetes.Api:
        """Return an API that answers for namespaces from here where it can.

        Raises CniError, as kubeconfig.access.
        """
        access = kubeconfig.access(cluster)
        return _Api(access, deadline, self._watch(access))

    def current(self) -> int:
        """How many watches know how things are."""
        with self._lock:
            return sum(each.is_current for each in self._watches.values())

    def stop(self) -> None:
        """End every watch."""
        with self._lock:
            for each in self._watches.values():
                each.stop()

    def _watch(self, access: Access) -> "_Watch":
        with self._lock:
            watch = self._watches.pop(access, None)
            if watch is None or watch.has_ended:
                watch = _Watch(access)
                watch.start()
            self._watches[access] = watch  # the one that was asked last comes last
            while len(self._watches) > MOST:
                self._watches.pop(next(iter(self._watches))).stop()
        return watch


class _Api(kubernetes.Api):
    """Asks the API only what is not known."""

    def __init__(self, access: Access, deadline: Deadline, watch: "_Watch") -> None:
        super().__init__(access, deadline)
        self._watch = watch

    def namespace(self, name: str) -> Metadata:
        # One that is not known may be very new; the API has the last word on that.
        if known := self._watch.find(name):
            return known
        with _step("namespaces"):
            return super().namespace(name)

    def pod(self, namespace: str, name: str) -> Metadata:
        with _step("pods"):
            return super().pod(namespace, name)


def _step(resource: str) -> contextlib.AbstractContextManager[None]:
    """Have a question to the API told of, where the agent traces."""
    if traces.spans is None:
        return contextlib.nullcontext()
    return traces.spans.step(f"kubernetes get {resource}", {"k8s.resource": resource})


class _Watch:
    """A thread that keeps the namespaces of one API server, until nobody has asked for long."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._known: dict[str, Metadata] = {}
        self._is_watching = False
        self._heard = 0.0
        self._asked = time.monotonic()
        self._ending = threading.Event()
        self.has_ended = False
        self._thread = threading.Thread(target=self._run, name="namespaces", daemon=True)
        self.start = self._thread.start
        self.stop = self._ending.set

    @property
    def is_current(self) -> bool:
        """Whether a watch runs and was heard of lately: a peer may fall silent without an end."""
        is_heard = time.monotonic() - self._heard < namespace_feed.SILENCE
        return self._is_watching and is_heard

    def find(self, name: str) -> Metadata | None:
        """Return what is known to be so."""
        self._asked = time.monotonic()
        return self._known.get(name) if self.is_current else None

    def _run(self) -> None:
        pause = FIRST_PAUSE
        while not self._ending.is_set() and time.monotonic() - self._asked < UNASKED:
            began = time.monotonic()
            try:
                self._follow()
            except (kube.ApiError, ValueError) as error:
                _tell(self._access, error)
            finally:
                self._is_watching = False
            # A watch that went well for a while begins anew with a short pause.
            pause = FIRST_PAUSE if time.monotonic() - began > LONGEST_PAUSE else pause
            self._ending.wait(jitter.between(pause / 2, pause))
            pause = min(2 * pause, LONGEST_PAUSE)
        self.has_ended = True

    def _follow(self) -> None:
        """List, then watch for as long as the API server can go on from what was seen last."""
        cluster = kube.Api(lambda: self._access, timeout=namespace_feed.LIST_SECONDS)
        self._known, version = namespace_feed.snapshot(cluster)
        while not self._ending.is_set() and time.monotonic() - self._asked < UNASKED:
            with namespace_feed.watch(cluster, version) as watch:
                began = self._heard = time.monotonic()
                self._is_watching = True
                for news in watch:
                    self._heard = time.monotonic()
                    self._apply(news)
                    version = news.version
            self._is_watching = False
            if began == self._heard and time.monotonic() - began < FIRST_PAUSE:
                raise ValueError("a watch that ended at once")

    def _apply(self, news: namespace_feed.News) -> None:
        if news.metadata is not None:
            self._known[news.name] = news.metadata
        else:
            self._known.pop(news.name, None)


def _tell(access: Access, error: Exception) -> None:
    where = incident.places(error) if isinstance(error, ValueError) else ""
    fields = {"status": error.status} if isinstance(error, kube.ApiError) else {}
    logs.tell(
        _LOG,
        logging.WARNING,
        "namespaces are not watched, and are asked for one by one",
        api=f"{access.host}:{access.port}",
        error=type(error).__name__,
        **fields,
        **({"at": where} if where else {}),
    )
