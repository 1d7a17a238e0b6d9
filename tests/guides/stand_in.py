"""Stands for kubectl where there is no cluster: takes what kubectl takes, and knows what is there.

`create` and `kustomize` need no cluster, so those are kubectl's own. What is applied is written to
a file, and nothing else is found: a name that a page has wrong fails.
"""

import pathlib
import subprocess
import sys
from collections.abc import Iterable, Sequence

import yaml

THERE = pathlib.Path("applied")


def main(kubectl: str, words: Sequence[str]) -> None:
    """Do as a command says; whatever is unknown or missing ends in an error."""
    match _without_namespace(words):
        case ["create", *_]:
            _add(_run(kubectl, *words, "--dry-run=client", "-o", "name").split())
        case ["apply", "-k", folder]:
            _add(_names(_run(kubectl, "kustomize", folder)))
        case ["apply", "-f", "-"]:
            _add(_names(sys.stdin.read()))
        case ["rollout", "status", name]:
            _require([name])
        case ["delete", "-k", folder]:
            _require(each for each in _names(_run(kubectl, "kustomize", folder)))
        case ["delete", kind, name, "--ignore-not-found"]:
            _require([f"{kind}/{name}"])
        case unknown:
            sys.exit(f"kubectl {' '.join(unknown)}: a page says so, and nothing here tries it")


def _without_namespace(words: Sequence[str]) -> list[str]:
    left = [each for each in words if not each.startswith("--namespace=")]
    return left[2:] if left[0] == "-n" else left


def _run(*command: str) -> str:
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def _names(manifests: str) -> list[str]:
    objects = yaml.safe_load_all(manifests)
    return [f"{each['kind'].lower()}/{each['metadata']['name']}" for each in objects]


def _add(names: Iterable[str]) -> None:
    with THERE.open("a") as there:
        there.writelines(f"{each}\n" for each in names)


def _require(names: Iterable[str]) -> None:
    missing = set(names) - set(THERE.read_text().splitlines())
    if missing:
        sys.exit(f"not found: {sorted(missing)}")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
