"""What the full sandbox adds to a run of the same file: wall time, interleaved, warm caches.

python benchmarks/sandbox.py [--rounds N] [--smoke] [--json]
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

CMDPACK = str(Path(sys.executable).with_name("cmdpack"))
FIXED_BUDGET, SHARE_BUDGET = 0.060, 0.05  # seconds, and of the run's time

_TINY = Path(__file__).resolve().parent / "workloads" / "tiny.md"
_LEVELS = {"off": "off", "full": "auto"}


def measure(path: Path, level: str, cache: Path) -> float:
    """Wall time of one run, in seconds. Raises `SystemExit` with its output when it fails."""
    dropped = ("JAX_", "XLA_", "VIRTUAL_ENV", "CONDA_PREFIX")
    own = {name: value for name, value in os.environ.items() if not name.startswith(dropped)}
    words = [CMDPACK, "run", "--sandbox", _LEVELS[level], str(path)]
    start = time.perf_counter()
    done = subprocess.run(
        words,
        env={**own, "XDG_CACHE_HOME": str(cache), "CMDPACK_NO_PLUGINS": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    wall = time.perf_counter() - start
    if done.returncode or not done.stdout.rstrip().endswith(f"sandbox {level}"):
        sys.exit(f"{' '.join(words)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return wall


def run(rounds: int) -> list[dict[str, float | str]]:
    """A row of medians for a file without JAX, and for one that compiles something small."""
    rows: list[dict[str, float | str]] = []
    with tempfile.TemporaryDirectory() as scratch:
        bare = Path(scratch, "bare.md")
        bare.write_text("# Bare\n\n```python\nprint('on')\n```\n", encoding="utf-8")
        for path in (bare, _TINY):
            walls: dict[str, list[float]] = {"off": [], "full": []}
            for number in range(-1, rounds):  # the first round fills the caches
                for level in sorted(walls, reverse=bool(number % 2)):
                    wall = measure(path, level, Path(scratch))
                    if number >= 0:
                        walls[level].append(wall)
            off, full = median(walls["off"]), median(walls["full"])
            pairs = zip(walls["full"], walls["off"], strict=True)
            added = median(one - other for one, other in pairs)
            budget = FIXED_BUDGET + SHARE_BUDGET * off
            fastest = min(walls["full"]) - min(walls["off"])
            rows.append(
                {"workload": path.stem, "off": off, "full": full, "added": added}
                | {"added_fastest": fastest, "budget": budget}
            )
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=15, help="default: %(default)s")
    parser.add_argument("--smoke", action="store_true", help="one round: does everything run?")
    parser.add_argument("--json", action="store_true", help="write one JSON document")
    options = parser.parse_args()
    rounds = 1 if options.smoke else max(1, options.rounds)
    rows = run(rounds)
    if options.json:
        print(json.dumps({"rounds": rounds, "rows": rows}, indent=2))
        return
    print(f"medians of {rounds} interleaved rounds, ms of wall time; added: median of differences")
    for row in rows:
        figures = {name: 1000 * it for name, it in row.items() if isinstance(it, float)}
        print(
            "{workload:<6} off {off:5.0f}  full {full:5.0f}  added {added:+5.0f}  between the "
            "fastest {added_fastest:+5.0f}  budget {budget:.0f}".format(**{**row, **figures})
        )


if __name__ == "__main__":
    main()
