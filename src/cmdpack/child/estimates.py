"""What XLA estimates of an executable, read off the client of the devices it was made for.

JAX has no public way from a compilation to its executable. A device's client lists those that
live, the newest first; where it does not, or its list is not as expected, there is no estimate.
"""

import sys
from typing import Any


def of_newest(jax: Any, name: str) -> dict[str, int | None] | None:  # noqa: ANN401
    """FLOPs, bytes accessed and peak bytes of the executable just made, called like ``jit(f)``."""
    try:
        return next(filter(None, (_estimate(client, name) for client in _clients(jax))), None)
    except Exception:
        return None


def _clients(jax: Any) -> list[Any]:  # noqa: ANN401
    clients = [jax.devices()[0].client]
    if clients[0].platform != "cpu":
        clients.append(jax.devices("cpu")[0].client)
    return clients


def _estimate(client: Any, name: str) -> dict[str, int | None] | None:  # noqa: ANN401
    executables = client.live_executables()
    if not executables or _letters(executables[0].hlo_modules()[0].name) != _letters(name):
        return None
    costs = executables[0].cost_analysis()
    costs = costs[0] if isinstance(costs, list) else costs
    memory = executables[0].get_compiled_memory_stats()
    return {
        "flops": _whole(costs.get("flops")),
        "bytes_accessed": _whole(costs.get("bytes accessed")),
        "peak_memory": _whole(getattr(memory, "peak_memory_in_bytes", None)),
    }


def _letters(name: str) -> str:
    """A module is called like its function, without what is neither a letter nor a digit."""
    return "".join(filter(str.isalnum, name))


def _whole(number: float | None) -> int | None:
    """A count, unless XLA does not know it, which it says with a number below zero."""
    return int(number) if number is not None and 0 <= number < sys.maxsize else None
