"""The metrics that a server exposes, by their names."""

import re
import urllib.request


def names(metrics: str) -> set[str]:
    """Every family's that is served at an address."""
    with urllib.request.urlopen(f"http://{metrics}/metrics", timeout=10) as answer:
        return set(re.findall(r"^# TYPE (\w+)", answer.read().decode(), re.MULTILINE))


def family(sample: str) -> str:
    """Of which family a sample is: a histogram has three kinds."""
    return re.sub("_(bucket|count|sum)$", "", sample)
