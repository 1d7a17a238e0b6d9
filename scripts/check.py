"""Everything `make check` checks; with --fix, what can be mended is."""

import argparse
import filecmp
import pathlib
import shutil
import subprocess
import sys
import tempfile

import locked

ROOT = pathlib.Path(__file__).resolve().parent.parent
GENERATED = ROOT / "client" / "moorage" / "v1"
# What the API was when it was released last: whoever was built against it still understands it.
BASELINE = ROOT / "proto" / "baseline.binpb"
UV = shutil.which("uv") or str(ROOT / ".uv" / "bin" / "uv")

CHECKS = {
    "format": ["ruff", "format", "--check", "--quiet", "."],
    "lint": ["ruff", "check", "--quiet", "."],
    "types": ["mypy"],
    "layers": ["lint-imports"],
    "proto lint": ["buf", "lint", "proto"],
    "proto format": ["buf", "format", "--diff", "--exit-code", "proto"],
    "proto compatible": ["buf", "breaking", "proto", "--against", str(BASELINE)],
    "lock file": [UV, "lock", "--check", "--quiet"],
}
FIXES = (
    ["ruff", "check", "--fix", "--quiet", "."],
    ["ruff", "format", "--quiet", "."],
    ["buf", "format", "--write", "proto"],
)


def main() -> int:
    """Runs every check, also when one has failed; returns how many did."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--fix", action="store_true")
    if arguments.parse_args().fix:
        for command in FIXES:
            subprocess.run(command, cwd=ROOT, check=True)
    failed = [name for name, command in CHECKS.items() if not passes(name, command)]
    if not same_as_generated():
        failed.append("generated code")
    if not hashed():
        failed.append("hashes")
    print(f"failed: {', '.join(failed)}" if failed else "all checks passed")
    return len(failed)


def passes(name: str, command: list[str]) -> bool:
    """Runs a check; shows what it says only where it fails."""
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    print(f"{name}: {'ok' if result.returncode == 0 else 'FAILED'}")
    if result.returncode != 0:
        print(result.stdout, result.stderr, sep="")
    return result.returncode == 0


def same_as_generated() -> bool:
    """Whether the checked-in code is what the protos generate now."""
    with tempfile.TemporaryDirectory() as folder:
        fresh = pathlib.Path(folder) / "moorage" / "v1"
        command = [UV, "run", "--quiet", "--script", "scripts/generate_protos.py", folder]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
        names = {path.name for path in (*fresh.iterdir(), *GENERATED.glob("*_pb2*"))}
        differing = filecmp.cmpfiles(fresh, GENERATED, sorted(names), shallow=False)
    wrong = [*differing[1], *differing[2]]
    print(f"generated code: {'FAILED, run make protos: ' + ', '.join(wrong) if wrong else 'ok'}")
    return not wrong


def hashed() -> bool:
    """Whether every file that may be installed is locked with its hash, and from the index."""
    wrong = locked.problems(ROOT / "uv.lock")
    print(f"hashes: {'FAILED, ' + '; '.join(wrong) if wrong else 'ok'}")
    return not wrong


if __name__ == "__main__":
    sys.exit(main())
