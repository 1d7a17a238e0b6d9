"""Who acts: waits to lead, leads, and stops at once where it does not lead any more."""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass, field

import moorage
from moorage import cluster_uid, jitter, kube
from moorage.controller import feed, labels, lease, nodes, rounds

FIRST_PAUSE = 1.0

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a controller is told; times in seconds.

    `name` is the cluster's, and so is `uid`, which is asked for where it is empty; `grace` is for
    how long the pod of an address must be gone, `every` how long it is from one round to the next,
    `retry` from one try for the lease to the next.
    """

    name: str
    vrf: str
    grace: float
    every: float
    retry: float = lease.RETRY
    uid: str = ""


@dataclass(kw_only=True)
class Controller:
    """A controller of one cluster and one VRF; it runs until it is stopped."""

    client: moorage.Client
    cluster: kube.Api
    leadership: lease.Lease
    settings: Settings
    _stopping: threading.Event = field(default_factory=threading.Event)
    _news: threading.Event = field(default_factory=threading.Event)

    def stop(self) -> None:
        """Let `run` come to an end, from another thread."""
        self._stopping.set()
        self._news.set()

    def run(self) -> None:
        """Lead whenever nobody else does, and act then; return once stopped, leading no more."""
        campaign = threading.Thread(target=self._campaign, name="lease", daemon=True)
        campaign.start()
        while not self._stopping.is_set():
            # Also without news: the lease may be lost and won again within one attempt.
            self._news.wait(self.settings.retry)
            self._news.clear()
            if self.leadership.leading and not self._stopping.is_set():
                self._term()
        campaign.join(timeout=kube.TIMEOUT)
        self._give_up()

    def _campaign(self) -> None:
        while not self._stopping.is_set():
            led, pause = self.leadership.leading, self.settings.retry
            try:
                self.leadership.attempt()
            except kube.ApiError as error:
                _LOG.warning("%s", error)
                # Within what is left of a term, whatever the server asks for.
                pause = min(max(pause, error.retry_after), 2 * pause)
            except Exception:  # without attempts nobody would ever lead again
                _LOG.exception("the lease cannot be worked on")
            if self.leadership.leading is not led:
                self._news.set()
            self._stopping.wait(jitter.around(pause, 0.2))

    def _permit(self) -> float:
        if self._stopping.is_set():
            raise lease.NotLeading
        return self.leadership.remaining()

    def _term(self) -> None:
        _LOG.info("leading for cluster %s and VRF %s", self.settings.name, self.settings.vrf)
        known = self._known()
        if known is not None:
            self._act(known)
        _LOG.info("not leading any more")

    def _known(self) -> labels.Cluster | None:
        """Ask which cluster this is, for as long as we lead."""
        pause = FIRST_PAUSE
        while self.leadership.leading and not self._stopping.is_set():
            try:
                uid = self.settings.uid or cluster_uid.of(self.cluster)
                return labels.Cluster(name=self.settings.name, uid=uid)
            except kube.ApiError as error:
                _LOG.error("nothing is collected: %s", error)
                self._news.wait(max(pause, error.retry_after))
                self._news.clear()
                pause = min(2 * pause, self.settings.every)
        return None

    def _act(self, known: labels.Cluster) -> None:
        kept = labels.Labels(self.client, vrf=self.settings.vrf, cluster=known, permit=self._permit)
        following = feed.Feed(self.cluster, lambda node: self._follow(kept, node))
        try:
            self._rounds(known, kept, following)
        finally:
            following.stop()

    def _rounds(self, known: labels.Cluster, kept: labels.Labels, following: feed.Feed) -> None:
        one = rounds.Rounds(
            client=self.client,
            cluster=self.cluster,
            uid=known.uid,
            kept=kept,
            vrf=self.settings.vrf,
            grace=self.settings.grace,
            permit=self._permit,
        )
        pause, followed = FIRST_PAUSE, False
        while self.leadership.leading and not self._stopping.is_set():
            failure = _failure(one)
            if failure is None:
                pause = FIRST_PAUSE
                if not followed:
                    following.start()
                    followed = True
                self._news.wait(jitter.around(self.settings.every, 0.1))
            else:
                self._news.wait(max(failure, pause))
                pause = min(2 * pause, self.settings.every)
            self._news.clear()

    def _follow(self, kept: labels.Labels, node: nodes.Node) -> None:
        try:
            self._permit()
            kept.follow(node)
        except lease.NotLeading:
            _LOG.debug("node %s: left to whoever leads", node.name)

    def _give_up(self) -> None:
        try:
            self.leadership.release()
        except kube.ApiError as error:
            _LOG.warning("the lease is left to run out: %s", error)


def _failure(one: rounds.Rounds) -> float | None:
    """Make a round; return None, or after which pause another one should be tried, at least."""
    try:
        one.run()
    except lease.NotLeading:
        return 0.0
    except kube.ApiError as error:
        _LOG.error("nothing is collected: %s", error)
        return error.retry_after
    except moorage.MoorageError as error:
        _LOG.error("nothing is collected: %s", error)
        return error.retry_delay or 0.0
    except Exception:  # of one round: the next one begins anew
        _LOG.exception("nothing is collected")
        return 0.0
    return None
