"""Holds cmdpack against a real command file that the repository does not contain.

python .ci/seed.py CMDPACK FILE
"""

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_COUNTS = {
    "options": 8,
    "fences": 12,
    "runnable": 1,
    "banner sections": 5,
    "workflows": 8,
    "groups": 4,
    "agents": 12,
    "teams": 6,
}
_FAILURES = [("TypeError", 304, 304), ("TypeError", 309, 309), ("UnboundLocalError", 464, 434)]
"""The exception, the line of the unit, and the innermost line of the file in its traceback."""

_BANNERS = ["ok", "ok", "ok", "failed", "failed"]
_SPELLING = "functools.partial(pmap, axis_name='devices')"


def main() -> int:
    """Check everything, say what differs. Returns 1 if anything does."""
    program, file = sys.argv[1], Path(sys.argv[2])
    before = _digest(file)
    problems = [*_reading(program, file), *_stopping(program, file), *_going_on(program, file)]
    if _digest(file) != before:
        problems.append("the file was changed")
    print("\n".join(problems) or f"{file.name}: read, run and left alone, as expected")
    return int(bool(problems))


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _reading(program: str, file: Path) -> Iterator[str]:
    spec = _json(program, "show", "--json", str(file), status=0)["command"]["spec"]
    runnable = [it for it in spec["examples"] if it["language"] in {"python", "py", "python3"}]
    found = {
        "options": len(spec["options"]),
        "fences": len(spec["examples"]),
        "runnable": len(runnable),
        "banner sections": sum(it["kind"] == "banner" for it in spec["sections"]),
        "workflows": len(spec["workflows"]),
        "groups": len(spec["related_groups"]),
        "agents": len(spec["agents"]),
        "teams": len(spec["teams"]),
    }
    for name, count in _COUNTS.items():
        if found[name] != count:
            yield f"{found[name]} {name} instead of {count}"


def _stopping(program: str, file: Path) -> Iterator[str]:
    """The run stops at the first failure, as it does with code from outside."""
    result = _json(program, "run", "--sandbox", "off", "--json", str(file), status=1)
    names = [command["name"] for command in result["commands"]]
    if names != ["jax-init", "jax-essentials"]:
        yield f"the commands {names} ran"
    if _banners(result)[:3] != _BANNERS[:3]:
        yield f"the sections are {_banners(result)}"
    failed = [unit for unit in result["units"] if unit["outcome"] == "failed"]
    if _errors(failed) != _FAILURES[:1]:
        yield f"the failures are {_errors(failed)}"
    elif _SPELLING not in (failed[0]["error"]["advice"] or {}).get("next_step", ""):
        yield f"the advice is {failed[0]['error']['advice']}"


def _going_on(program: str, file: Path) -> Iterator[str]:
    """The whole file in one run: three failures, nothing else, and what is blocked says by what."""
    words = ("run", "--sandbox", "off", "--keep-going", "--json", str(file))
    result = _json(program, *words, status=1)
    if _banners(result) != _BANNERS:
        yield f"going on, the sections are {_banners(result)}"
    failed = [unit for unit in result["units"] if unit["outcome"] == "failed"]
    if _errors(failed) != _FAILURES:
        yield f"going on, the failures are {_errors(failed)}"
    others = {unit["outcome"] for unit in result["units"]} - {"ok", "failed", "blocked"}
    if others:
        yield f"going on, there are units that are {others}"
    causes = {unit["id"] for unit in failed}
    for unit in result["units"]:
        by = {*unit["blocked_by"]}
        if unit["outcome"] == "blocked" and not (by and by <= causes and unit["reason"]):
            yield f"line {unit['line']} is blocked by {by}: {unit['reason']}"


def _banners(result: dict[str, Any]) -> list[str]:
    """The outcomes of the file's sections after the set-up, which has no banner."""
    own = [section for section in result["sections"] if section["command"] == "jax-essentials"]
    return [section["outcome"] for section in own[1:]]


def _errors(failed: list[dict[str, Any]]) -> list[tuple[str, int, int]]:
    return [(unit["error"]["type"], unit["line"], unit["error"]["line"]) for unit in failed]


def _json(program: str, *arguments: str, status: int) -> dict[str, Any]:
    done = subprocess.run(
        [program, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    if done.returncode != status:
        sys.exit(f"{' '.join(arguments)}: exit code {done.returncode}\n{done.stderr}")
    document: dict[str, Any] = json.loads(done.stdout)
    return document


if __name__ == "__main__":
    sys.exit(main())
