"""The devices that JAX finds in this Python, as one line of JSON on standard output; their count.

Starts JAX's backend, and so may take seconds, or end the process (a bad `XLA_FLAGS` does).
"""

import json
import os
import sys
from typing import Any


def main(arguments: list[str]) -> None:
    """Print ``{"platform", "devices"}``, or ``{"error": {"type", "message", "file"}}``."""
    del arguments
    answer = os.dup(1)
    os.dup2(2, 1)  # what libraries print is not the answer
    with os.fdopen(answer, "w", encoding="utf-8") as out:
        json.dump(_probe(), out)
        out.write("\n")
    sys.stdout.flush()
    os._exit(0)


def count() -> int | None:
    """How many devices JAX has in this process, which starts it; None where it cannot start."""
    try:
        import jax  # noqa: PLC0415 - only for an example that cannot do without

        return int(jax.device_count())
    except Exception:
        return None


def _probe() -> dict[str, Any]:
    try:
        import jax  # noqa: PLC0415 - the point of this process

        return {
            "platform": jax.default_backend(),
            "devices": [
                {"id": d.id, "platform": d.platform, "kind": d.device_kind} for d in jax.devices()
            ],
        }
    except BaseException as error:
        trace, file = error.__traceback__, ""
        while trace is not None:
            file, trace = trace.tb_frame.f_code.co_filename, trace.tb_next
        return {"error": {"type": type(error).__name__, "message": str(error), "file": file}}
