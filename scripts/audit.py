"""Whether what a release contains has known vulnerabilities: `make audit`.

Ends with 0 where it has none, with 1 where it has one that no exception covers, or an exception has
run out, and with 2 where nobody could be asked: then nothing is known, and that is said. With
MOORAGE_AUDIT_UNREACHED=tell it is only said: who has no way to the advisories is not to blame.
"""

import datetime
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from typing import Any

from check import ROOT, UV

EXCEPTIONS = ROOT / "scripts" / "audit_exceptions.toml"
CLEAN, VULNERABLE, UNKNOWN = 0, 1, 2
# What is installed with server and client; what only builds or tests them is not.
EXPORT = [
    *(UV, "export", "--locked", "--all-extras", "--all-packages", "--no-dev"),
    *("--no-emit-workspace", "--format", "requirements-txt", "--quiet"),
]
AUDIT = [
    *("pip-audit", "--no-deps", "--disable-pip", "--require-hashes"),
    *("--format", "json", "--progress-spinner", "off", "--requirement"),
]


def main() -> int:
    """Asks, and says what was answered."""
    exceptions = tomllib.loads(EXCEPTIONS.read_text()).get("exception", [])
    outcome, said = judged(asked(), exceptions, datetime.date.today())
    print(*said, sep="\n")
    if outcome == UNKNOWN and os.environ.get("MOORAGE_AUDIT_UNREACHED") == "tell":
        return CLEAN
    return outcome


def asked() -> Mapping[str, Any] | None:
    """The report of pip-audit; None where there is none."""
    with tempfile.TemporaryDirectory() as folder:
        listed = pathlib.Path(folder) / "requirements.txt"
        listed.write_bytes(subprocess.run(EXPORT, cwd=ROOT, check=True, capture_output=True).stdout)
        done = subprocess.run([*AUDIT, str(listed)], capture_output=True, text=True, check=False)
    try:
        report: Mapping[str, Any] = json.loads(done.stdout)
    except ValueError:
        print(done.stderr, file=sys.stderr)
        return None
    return report


def judged(
    report: Mapping[str, Any] | None, exceptions: Sequence[Mapping[str, Any]], today: datetime.date
) -> tuple[int, list[str]]:
    """How it ends, and what is said of it."""
    packages = report["dependencies"] if report else []
    over = {each["id"]: each for each in exceptions if each["until"] < today}
    excepted = {each["id"] for each in exceptions} - over.keys()
    found = [
        f"{package['name']} {package['version']}: {each['id']}, mended in {each['fix_versions']}"
        for package in packages
        for each in package.get("vulns", ())
        if not excepted & {each["id"], *each.get("aliases", ())}
    ]
    found += [f"exception {name} ran out on {each['until']}" for name, each in over.items()]
    unasked = [f"NOT AUDITED: {each['name']}" for each in packages if "skip_reason" in each]
    if found:
        return VULNERABLE, found + unasked
    if unasked or not packages:
        return UNKNOWN, [*unasked, "NOT AUDITED: the advisories could not be had; nothing is known"]
    return CLEAN, [f"{len(packages)} packages have no known vulnerability"]


if __name__ == "__main__":
    sys.exit(main())
