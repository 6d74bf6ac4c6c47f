"""Reads a profile that JAX has written: which executables took how long, by their operations.

It runs in a process of its own, which may import JAX, and whose end harms no run.
"""

import json
from collections.abc import Iterable
from typing import Any

_MOST = 10  # executables that are told of
_PYTHON = "$"  # what the names of Python's own events begin with


def main(arguments: list[str]) -> None:
    """Print the hottest executables of the file that is the first argument."""
    from jax.profiler import ProfileData  # noqa: PLC0415 - the user's JAX, only to be had here

    data = ProfileData.from_file(arguments[0])
    events = (event for plane in data.planes for line in plane.lines for event in line.events)
    print(json.dumps(hottest(events)))


def hottest(events: Iterable[Any]) -> list[dict[str, Any]]:
    """The executables whose operations took most time, in all threads and on all devices."""
    found: dict[str, dict[str, Any]] = {}
    for event in events:
        if event.name.startswith(_PYTHON):
            continue  # most events are these, and reading their details takes long
        details = {name: value for name, value in event.stats if name in _DETAILS}
        if "hlo_module" not in details or "hlo_op" not in details:
            continue
        module = found.setdefault(str(details["hlo_module"]), {"runs": set(), "operations": {}})
        module["runs"].add(details.get("run_id"))
        operations, name = module["operations"], str(details["hlo_op"])
        operations[name] = operations.get(name, 0.0) + event.duration_ns / 1e9
    told = [_told(name, module) for name, module in found.items()]
    return sorted(told, key=lambda it: -it["seconds"])[:_MOST]


_DETAILS = {"hlo_module", "hlo_op", "run_id"}


def _told(name: str, module: dict[str, Any]) -> dict[str, Any]:
    operations = module["operations"]
    operation = max(operations, key=operations.__getitem__)
    return {
        "module": name,
        "calls": len(module["runs"]),
        "seconds": sum(operations.values()),
        "operation": operation,
        "operation_seconds": operations[operation],
    }
