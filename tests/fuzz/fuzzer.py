"""Fuzzes one target, led by what of the code it reaches: `python -m fuzz.fuzzer NAME ...`.

What follows the name is libFuzzer's. It needs atheris, which only `make fuzz` brings along.
"""

import logging
import sys

import atheris

# What is counted as reached; to count in YAML as well makes it several times as slow.
_COUNTED = ["moorage", "moorage_server", "ipaddress"]
# To count slows a parser down by so much, and the machine has other work.
_PATIENCE = 20

with atheris.instrument_imports(include=_COUNTED, enable_loader_override=False):
    from fuzz import catalog
    from fuzz.target import Watch


def main() -> None:
    """Feed one target for as long as libFuzzer is told to; a fault ends the process."""
    name = sys.argv[1]
    # What is set aside is told of, a million times.
    logging.getLogger("moorage").setLevel(logging.CRITICAL)
    watch = Watch(catalog.TARGETS[name], patience=_PATIENCE)
    atheris.Setup([sys.argv[0], *sys.argv[2:]], watch.feed)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
