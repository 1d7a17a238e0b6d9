"""What an acknowledged change outlives, for whoever reads logs or metrics."""

from collections.abc import Iterable

import structlog
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from moorage_server.storage.durability import Durability

_log = structlog.get_logger()


class Lasting(Collector):
    """As the last look at the database found it."""

    def __init__(self) -> None:
        """Not known yet."""
        self._found: Durability | None = None

    def note(self, found: Durability) -> None:
        """A look has found this; it is logged where it is news."""
        if found is not self._found:
            _log.info("durability in force", mode=found.value)
        self._found = found

    def collect(self) -> Iterable[Metric]:
        """The one family: 1 for what is in force."""
        told = (
            "1 for what an acknowledged change outlives: a crash of the database (local), its"
            " loss (sync, sync-strict), or neither (none)."
        )
        family = GaugeMetricFamily("moorage_durability", told, labels=("mode",))
        for each in Durability:
            family.add_metric((each.value,), float(each is self._found))
        yield family
