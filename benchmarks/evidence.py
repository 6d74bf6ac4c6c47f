"""What it costs to collect evidence: runs with and without it, interleaved. See docs/benchmarks.md.

python benchmarks/evidence.py [--rounds N] [--json]
"""

import argparse
import json
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

from cmdpack import caches, run
from cmdpack.engines.examples import request_of
from cmdpack.plan import Plan
from cmdpack.planner import Wishes
from cmdpack.plugins import build_manager
from cmdpack.registry import load_registry
from cmdpack.supervision import Control, Ended, Supervision

_WORKLOADS = Path(__file__).resolve().parent / "workloads"
WORKLOADS = {
    "tiny": (str(_WORKLOADS / "tiny.md"), 0.06),
    "gradients": (str(_WORKLOADS / "gradients.md"), 0.06),
    "jax-essentials": ("jax-essentials", 0.06),
    "hot-loop": (str(_WORKLOADS / "hot-loop.md"), 0.05),
}
"""What runs, and what evidence may add to its CPU time."""


def cpu(plan: Plan, *, evidence: bool) -> float:
    """CPU seconds of one runner, as its supervisor saw them."""
    supervision = Supervision(
        plan.python.executable,
        request_of(plan, evidence=evidence),
        timeout=plan.timeout,
        environment={**os.environ, **plan.environment, **caches.variables(plan.cache)},
    )
    *_, end = supervision.signals(Control())
    if not isinstance(end, Ended) or end.ending.status != 0 or end.cpu is None:
        raise SystemExit(f"{plan.command} did not end well: {end}")
    return end.cpu


def measure(rounds: int) -> Iterator[dict[str, Any]]:
    """For each workload the ratio of the CPU times within each round, all warm."""
    plugins = build_manager(entry_points=False)
    registry = load_registry(plugins)
    for name, (word, budget) in WORKLOADS.items():
        plan = run.prepare(plugins, registry, run.Request(word, wishes=Wishes(sandbox="off")))
        caches.prepare(plan.cache, plan.commands[-1].pack)
        cpu(plan, evidence=True)  # fills the compile cache
        pairs = []
        for number in range(rounds):
            order = (True, False) if number % 2 else (False, True)
            seconds = {evidence: cpu(plan, evidence=evidence) for evidence in order}
            pairs.append((seconds[True], seconds[False]))
        yield {
            "workload": name,
            "with": median(one for one, _ in pairs),
            "without": median(other for _, other in pairs),
            "ratio": median(one / other for one, other in pairs),
            "budget": 1 + budget,
        }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=9, help="default: %(default)s")
    parser.add_argument("--json", action="store_true", help="write one JSON document")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["XDG_CACHE_HOME"] = scratch
        rows = [*measure(max(1, options.rounds))]
    if options.json:
        print(json.dumps({"rounds": options.rounds, "workloads": rows}, indent=2))
        return
    print(f"CPU seconds of the runner, medians of {options.rounds} interleaved rounds, warm")
    for row in rows:
        print(
            f"{row['workload']:<15} with {row['with']:.2f}  without {row['without']:.2f}  "
            f"ratio {row['ratio']:.3f}  budget {row['budget']:.2f}"
        )


if __name__ == "__main__":
    main()
