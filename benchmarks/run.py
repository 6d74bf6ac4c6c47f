"""What cmdpack adds to plain Python on the same code. See docs/benchmarks.md.

python benchmarks/run.py [--rounds N] [--smoke] [--json]
"""

import argparse
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
CMDPACK = str(Path(sys.executable).with_name("cmdpack"))
ADDED_CPU_BUDGET = 0.45  # seconds
START_BUDGET = 3.0  # times
MEMORY_BUDGET = 80.0  # MB

_HERE = Path(__file__).resolve().parent
_FENCE = re.compile(r"^```python(?![^\n]*:no-run)[^\n]*\n(.*?)^```$", re.MULTILINE | re.DOTALL)
# A run of cmdpack that reports its own peak memory: not that of its children, which Python keeps
# apart. In KiB on Linux.
_WATCHED = """
import resource, sys
from cmdpack.__main__ import main
sys.argv = ["cmdpack", "run", "jax-essentials"]
status = main()
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, file=sys.stderr)
sys.exit(status)
"""


class Workload(NamedTuple):
    """What cmdpack is asked to run, and the files whose examples plain Python runs instead."""

    name: str
    arguments: Sequence[str]
    files: Sequence[Path]


class Cost(NamedTuple):
    """What one process and all that it waited for took, in seconds."""

    cpu: float
    wall: float


WORKLOADS = (
    Workload(
        "tiny",
        ("--sandbox", "off", str(_HERE / "workloads" / "tiny.md")),
        (_HERE / "workloads" / "tiny.md",),
    ),
    Workload(
        "gradients",
        ("--sandbox", "off", str(_HERE / "workloads" / "gradients.md")),
        (_HERE / "workloads" / "gradients.md",),
    ),
    Workload(
        "hot-loop",
        ("--sandbox", "off", str(_HERE / "workloads" / "hot-loop.md")),
        (_HERE / "workloads" / "hot-loop.md",),
    ),
    Workload(
        "jax-essentials",
        ("jax-essentials",),
        (ROOT / "commands" / "jax-init.md", ROOT / "commands" / "jax-essentials.md"),
    ),
)
STARTS = (
    ("cmdpack --version", (CMDPACK, "--version"), "pass"),
    ("cmdpack list", (CMDPACK, "list"), "import typer, pydantic"),
)


def measure(command: Sequence[str], environment: Mapping[str, str]) -> Cost:
    """Run a command to its end. Raises `SystemExit` with its output when it fails."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    done = subprocess.run(
        command,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(cpu, wall)


def plain_settings(cache: Path) -> dict[str, str]:
    """The compile-cache settings that cmdpack makes, for plain Python."""
    return {
        "JAX_COMPILATION_CACHE_DIR": str(cache),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
        "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
    }


def pair(workload: Workload, folder: Path, *, first: str) -> dict[str, Cost]:
    """One run of each side with the caches below `folder`; `first` goes first."""
    script = folder / "plain.py"
    script.parent.mkdir(parents=True, exist_ok=True)
    examples = [_FENCE.findall(file.read_text(encoding="utf-8")) for file in workload.files]
    script.write_text("\n".join(code for codes in examples for code in codes), encoding="utf-8")
    sides = {
        "plain": ((sys.executable, str(script)), plain_settings(folder / "plain")),
        "cmdpack": (
            (CMDPACK, "run", *workload.arguments),
            {"XDG_CACHE_HOME": str(folder / "cmdpack")},
        ),
    }
    order = sorted(sides, key=lambda side: side != first)
    own = _environment()
    return {side: measure(sides[side][0], own | sides[side][1]) for side in order}


def run_workloads(rounds: int) -> list[dict[str, Any]]:
    """Interleave all workloads, cold and warm, both sides; return a row of medians for each."""
    found: dict[tuple[str, str], list[dict[str, Cost]]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for number in range(rounds):
            first = ("plain", "cmdpack")[number % 2]
            for workload in WORKLOADS:
                folder = Path(scratch, workload.name, str(number))
                for state in ("cold", "warm"):  # the cold run fills the caches of the warm one
                    costs = pair(workload, folder, first=first)
                    found.setdefault((workload.name, state), []).append(costs)
    return [_row(name, state, costs) for (name, state), costs in found.items()]


def _row(name: str, state: str, costs: Sequence[Mapping[str, Cost]]) -> dict[str, Any]:
    cpu = {side: median(it[side].cpu for it in costs) for side in ("plain", "cmdpack")}
    wall = {side: median(it[side].wall for it in costs) for side in ("plain", "cmdpack")}
    return {
        "workload": name,
        "cache": state,
        "plain_cpu": cpu["plain"],
        "cmdpack_cpu": cpu["cmdpack"],
        "added_cpu": median(it["cmdpack"].cpu - it["plain"].cpu for it in costs),
        "cpu_ratio": cpu["cmdpack"] / cpu["plain"],
        "plain_wall": wall["plain"],
        "cmdpack_wall": wall["cmdpack"],
        "wall_ratio": wall["cmdpack"] / wall["plain"],
    }


def run_starts(rounds: int) -> list[dict[str, Any]]:
    """How long cmdpack takes to start, against the least that a Python could."""
    rows = []
    for name, command, code in STARTS:
        against = (sys.executable, "-c", code)
        costs = [
            (measure(command, _environment()), measure(against, _environment()))
            for _ in range(rounds)
        ]
        own, other = (median(it[side].wall for it in costs) for side in (0, 1))
        rows.append(
            {"start": name, "against": f'python -c "{code}"', "wall": own, "plain_wall": other}
            | {"ratio": own / other}
        )
    return rows


def parent_memory() -> float:
    """Peak memory of cmdpack alone while it runs jax-essentials, in MB."""
    done = subprocess.run(
        [sys.executable, "-c", _WATCHED],
        env=_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    scale = 1 if sys.platform == "darwin" else 1024
    return int(done.stderr.split()[-1]) * scale / 1e6


def _environment() -> dict[str, str]:
    """This process's environment without what would change what JAX or cmdpack do."""
    dropped = ("JAX_", "XLA_", "VIRTUAL_ENV", "CONDA_PREFIX", "XDG_CACHE_HOME")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    return kept | {"CMDPACK_NO_PLUGINS": "1"}


def report(results: Mapping[str, Any]) -> str:
    """The tables, the budgets beside the figures; nothing is asserted."""
    rounds = results["rounds"]
    head = f"{'':<14} cache | CPU: plain cmdpack  added  ratio | wall: plain cmdpack  ratio"
    lines = [f"medians of {rounds} interleaved rounds; seconds; CPU is that of all processes", head]
    lines += [
        f"{row['workload']:<14} {row['cache']:<5} | {row['plain_cpu']:10.2f} "
        f"{row['cmdpack_cpu']:7.2f} {row['added_cpu']:+6.2f} {row['cpu_ratio']:6.2f} | "
        f"{row['plain_wall']:11.2f} {row['cmdpack_wall']:7.2f} {row['wall_ratio']:6.2f}"
        for row in results["workloads"]
    ]
    lines += [f"budget: at most {ADDED_CPU_BUDGET:.2f} s of added CPU time", ""]
    lines += [
        f"{row['start']:<18} {1000 * row['wall']:5.0f} ms, {row['ratio']:.1f} x "
        f"{row['against']} ({1000 * row['plain_wall']:.0f} ms); budget {START_BUDGET:g} x"
        for row in results["starts"]
    ]
    lines.append(
        f"{'parent memory':<18} {results['parent_memory_mb']:5.0f} MB at its peak; "
        f"budget {MEMORY_BUDGET:g} MB"
    )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=7, help="default: %(default)s")
    parser.add_argument("--smoke", action="store_true", help="one round: does everything run?")
    parser.add_argument("--json", action="store_true", help="write one JSON document")
    options = parser.parse_args()
    if not Path(CMDPACK).is_file():
        sys.exit(f"{CMDPACK} does not exist: install cmdpack in the environment of this Python")
    rounds = 1 if options.smoke else max(1, options.rounds)
    results = {
        "rounds": rounds,
        "workloads": run_workloads(rounds),
        "starts": run_starts(rounds),
        "parent_memory_mb": parent_memory(),
    }
    print(json.dumps(results, indent=2) if options.json else report(results))


if __name__ == "__main__":
    main()
