"""What a program has loaded at its end, and what of that came with what."""

import subprocess
import sys
from collections.abc import Iterable, Mapping

# A line for a program to end with.
TELL = "print(*(name for name, module in sys.modules.items() if module), file=sys.stderr)\n"


def modules(code: str, environment: Mapping[str, str], stdin: bytes = b"") -> set[str]:
    """What a program tells that it has loaded, in this environment and no other."""
    done = subprocess.run(
        [sys.executable, "-I", "-c", code],
        input=stdin,
        env=environment,
        capture_output=True,
        check=True,
    )
    return set(done.stderr.decode().split())


def alone(names: Iterable[str], environment: Mapping[str, str]) -> set[str]:
    """What a bare interpreter has loaded that imports these."""
    return modules(f"import {', '.join(('sys', *names))}\n{TELL}", environment)


def package(module: str) -> str:
    """The package a module is of, those of the namespace `google` each for itself."""
    first, *rest = module.split(".")
    return ".".join((first, *rest[:1])) if first == "google" else first


def is_of_the_library(module: str) -> bool:
    """Whether it comes with Python."""
    return module.partition(".")[0] in sys.stdlib_module_names


def differences(who: str, loaded: set[str], table: Mapping[str, str]) -> str:
    """How what somebody loads differs from a table; empty where it does not."""
    new, gone = sorted(loaded - table.keys()), sorted(table.keys() - loaded)
    told = [f"{who} loads {name} as well: say what for, or load it later" for name in new]
    return "\n".join(told + [f"{who} loads {name} no more: strike it out" for name in gone])
