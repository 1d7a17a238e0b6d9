"""What a release consists of, into dist/: `make release`.

Both distributions as wheels and sdists, the manual pages of moorctl, the plugin for nodes without
Python, the API as an image of buf, the list of all that is installed with it, and the hashes of
these files. Nothing is made where the version is not the same everywhere, or the changelog does not
know it; nothing is uploaded.
"""

import hashlib
import pathlib
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator

from check import BASELINE, ROOT, UV

DIST = ROOT / "dist"
# Each place that says which version this is, and how it does.
PLACES = {
    "pyproject.toml": r'^version = "(.+)"$',
    "client/pyproject.toml": r'^version = "(.+)"$',
    "server/moorage_server/__init__.py": r'^__version__ = "(.+)"$',
    "client/moorage/__init__.py": r'^__version__ = "(.+)"$',
    "deploy/components/shared/kustomization.yaml": r"newTag: (\S+)}$",
}


def main() -> int:
    """Makes everything anew; returns how much stands in the way."""
    version = stated(ROOT)
    wrong = [*disagreeing(ROOT, version), *untold((ROOT / "CHANGELOG.md").read_text(), version)]
    if wrong:
        print(*wrong, sep="\n")
        return len(wrong)
    shutil.rmtree(DIST, ignore_errors=True)
    DIST.mkdir()
    for command in commands(version):
        subprocess.run(command, cwd=ROOT, check=True)
    shutil.copy(_api(version), BASELINE)
    (DIST / "SHA256SUMS").write_text("".join(hashes(DIST)))
    print(*sorted(path.name for path in DIST.iterdir()), sep="\n")
    print(f"commit {BASELINE.relative_to(ROOT)} and tag v{version}")
    return 0


def stated(root: pathlib.Path) -> str:
    """The version, as the server's distribution says it."""
    return str(tomllib.loads((root / "pyproject.toml").read_text())["project"]["version"])


def disagreeing(root: pathlib.Path, version: str) -> Iterator[str]:
    """The places that say something else."""
    for place, pattern in PLACES.items():
        said = re.findall(pattern, (root / place).read_text(), re.MULTILINE)
        if said != [version]:
            yield f"{place} says {' and '.join(said) or 'no version'}; write {version} there"


def untold(changelog: str, version: str) -> Iterator[str]:
    """What the changelog lacks."""
    heading = rf"^## {re.escape(version)} - \d{{4}}-\d\d-\d\d$"
    if not re.search(heading, changelog, re.MULTILINE):
        yield f'CHANGELOG.md has no "## {version} - YYYY-MM-DD"; give what is unreleased that name'


def commands(version: str) -> Iterator[list[str]]:
    """What makes the files, in order."""
    yield [UV, "build", "--quiet", "--all-packages", "--out-dir", str(DIST)]
    yield ["moorctl", "man", str(DIST / "man")]
    yield ["tar", "-C", str(DIST), "-czf", str(DIST / f"moorage-man-{version}.tar.gz"), "man"]
    yield ["rm", "-r", str(DIST / "man")]
    yield ["buf", "build", "proto", "--exclude-source-info", "-o", str(_api(version))]
    yield ["make", "--silent", "forwarder"]
    forwarders = DIST / f"moorage-forwarder-{version}.tar.gz"
    yield ["tar", "-C", str(DIST), "-czf", str(forwarders), "forwarder"]
    yield ["rm", "-r", str(DIST / "forwarder")]
    yield ["make", "--silent", "sbom"]


def hashes(folder: pathlib.Path) -> Iterator[str]:
    """A line for each file, as `sha256sum --check` reads them."""
    for path in sorted(each for each in folder.iterdir() if each.is_file()):
        if path.name not in ("SHA256SUMS", ".gitignore"):
            yield f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n"


def _api(version: str) -> pathlib.Path:
    return DIST / f"moorage-api-{version}.binpb"


if __name__ == "__main__":
    sys.exit(main())
