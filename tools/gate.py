"""The gate: everything that must hold before a change is done, in one command.

python tools/gate.py [--fix] [--no-tests]

A Python file, because Python is all that a checkout is sure to have: no make, no task runner. CI
calls it too, so there is one definition of done.
"""

import argparse
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
_PYTHON = sys.executable
_FRAGMENT = re.compile(r"(\+?[a-z0-9][a-z0-9-]*)\.(added|changed|fixed)\.md")

FIXES = {
    "format": [_PYTHON, "-m", "ruff", "format", "."],
    "lint": [_PYTHON, "-m", "ruff", "check", "--fix", "--exit-zero", "."],
    "export": [_PYTHON, "-m", "cmdpack", "export", "--to", "claude", "exports/claude"],
    "marketplace": [_PYTHON, "tools/marketplace.py"],
    "documents": [_PYTHON, "tools/docs.py"],
}
CHECKS = {
    "format": [_PYTHON, "-m", "ruff", "format", "--check", "."],
    "lint": [_PYTHON, "-m", "ruff", "check", "."],
    "types": [_PYTHON, "-m", "mypy"],
    "floors": [str(Path(_PYTHON).with_name("lint-imports")), "--no-logo"],
    "documents": [_PYTHON, "tools/docs.py", "--check"],
    "changelog": [_PYTHON, "tools/gate.py", "--fragments"],
    "tests": [_PYTHON, "-m", "pytest", "-n", "2"],
}


class Step(NamedTuple):
    """What became of one step."""

    name: str
    passed: bool
    seconds: float


def take(name: str, command: list[str]) -> Step:
    """Run one step where the repository is, its output going where ours goes."""
    print(f"-- {name}", flush=True)
    start = time.perf_counter()
    try:
        passed = subprocess.run(command, cwd=ROOT, check=False).returncode == 0
    except FileNotFoundError:
        print(f"{command[0]} does not exist: install the extra `dev`")
        passed = False
    return Step(name, passed, time.perf_counter() - start)


def misnamed_fragments() -> list[str]:
    """What lies in changelog.d and would be in no changelog, by its name or because it is empty.

    `towncrier check` compares with a base branch, which a plain checkout need not have.
    """
    problems = []
    for path in sorted((ROOT / "changelog.d").iterdir()):
        if path.name.startswith("."):
            continue
        if not _FRAGMENT.fullmatch(path.name):
            problems.append(f"{path.name}: name it +WORDS.added.md, .changed.md or .fixed.md")
        elif not path.read_text(encoding="utf-8").strip():
            problems.append(f"{path.name}: is empty")
    return problems


def main() -> int:
    """Take the steps that were asked for. Returns 1 if any did not pass."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--fix", action="store_true", help="format and regenerate first")
    parser.add_argument("--no-tests", action="store_true", help="leave the tests out")
    parser.add_argument("--fragments", action="store_true", help="check changelog.d alone")
    options = parser.parse_args()
    if options.fragments:
        problems = misnamed_fragments()
        print("\n".join(problems) or "every fragment has a name and a text")
        return int(bool(problems))
    steps = [take(f"fix {name}", command) for name, command in FIXES.items() if options.fix]
    steps += [
        take(name, command)
        for name, command in CHECKS.items()
        if name != "tests" or not options.no_tests
    ]
    print("-- summary")
    for step in steps:
        print(f"{'passed' if step.passed else 'FAILED'}  {step.seconds:6.1f} s  {step.name}")
    return int(not all(step.passed for step in steps))


if __name__ == "__main__":
    sys.exit(main())
