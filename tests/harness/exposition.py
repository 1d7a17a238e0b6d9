"""What a server tells Prometheus, by the address of its metrics."""

import re
import urllib.request

from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample


def text(metrics: str) -> str:
    """As it is told."""
    with urllib.request.urlopen(f"http://{metrics}/metrics", timeout=10) as answer:
        said: str = answer.read().decode()
    return said


def samples(metrics: str) -> list[Sample]:
    """Every number, with its name and labels."""
    families = text_string_to_metric_families(text(metrics))
    return [sample for each in families for sample in each.samples]


def number(metrics: str, name: str) -> float:
    """The only one of this name."""
    (found,) = (each for each in samples(metrics) if each.name == name)
    return found.value


def names(metrics: str) -> set[str]:
    """Every family's."""
    return set(re.findall(r"^# TYPE (\w+)", text(metrics), re.MULTILINE))


def family(sample: str) -> str:
    """Of which family a sample is: a histogram has three kinds."""
    return re.sub("_(bucket|count|sum)$", "", sample)
