"""The first code of ours inside of a sandbox: takes rights away, then becomes the runner.

It stays the same process, so that limits, restrictions and descriptors are those of the examples.
"""

import json
import os
import resource
import sys
from collections.abc import Mapping
from typing import Any

from . import attempts, landlock, runner

_LIMITS = {
    "data": resource.RLIMIT_DATA,
    "processes": resource.RLIMIT_NPROC,
    "file": resource.RLIMIT_FSIZE,
    "descriptors": resource.RLIMIT_NOFILE,
    "core": resource.RLIMIT_CORE,
}


def main(arguments: list[str]) -> None:
    """Obey one JSON order: ``{"channel", "path", "limits", "folder", ...}``.

    `limits` are numbers by the names of `_LIMITS`; `path` is what `sys.path` will be, `folder` the
    one to start in. The others are what `landlock.restrict` takes, by name.
    """
    order = json.loads(arguments[0])
    channel: int = order["channel"]
    os.closerange(3, channel)
    os.closerange(channel + 1, _highest_descriptor())
    _limit(order["limits"])
    landlock.give_up_privileges()
    kinds = (order[kind] for kind in ("readable", "writable", "plain"))
    found = landlock.restrict(*kinds, isolate=order["isolate"])
    if order["isolate"] and found < landlock.WITH_TCP:  # there is no other protection
        sys.exit("cmdpack: this kernel's Landlock does not know TCP")
    attempts.watch()
    os.chdir(order["folder"])
    sys.path[:] = order["path"]
    runner.main([str(channel)])


def _highest_descriptor() -> int:
    return min(resource.getrlimit(resource.RLIMIT_NOFILE)[1], 1 << 20)


def _limit(limits: Mapping[str, Any]) -> None:
    """Set limits that nothing in here can raise again; a lower one that is there stays."""
    for name, number in limits.items():
        _, hardest = resource.getrlimit(_LIMITS[name])
        wanted = number if hardest == resource.RLIM_INFINITY else min(number, hardest)
        resource.setrlimit(_LIMITS[name], (wanted, wanted))
