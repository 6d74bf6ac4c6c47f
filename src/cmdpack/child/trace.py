"""A profile of what examples do, recorded from the moment at which JAX has started a backend.

Not sooner: recording starts JAX's backend, and the user's code may set `XLA_FLAGS` or name a
platform until then.
"""

import contextlib
import sys
from typing import Any


class Trace:
    """Records into `folder`; without one it does nothing. What goes wrong costs the trace alone."""

    def __init__(self, folder: str | None) -> None:
        self._folder = folder
        self._stop: Any = lambda: None

    def attach(self, jax: Any) -> None:  # noqa: ANN401
        """Wait for the first backend of `jax`."""
        bridge: Any = sys.modules.get("jax._src.xla_bridge")
        backends = getattr(bridge, "backends", None)
        if self._folder is None or backends is None:  # the function is private: it may be gone
            return
        # Looked up now: user code may rebind these names later.
        start, stop = jax.profiler.start_trace, jax.profiler.stop_trace

        def started() -> Any:  # noqa: ANN401
            found = backends()
            if bridge.backends is started:
                bridge.backends = backends
                with contextlib.suppress(Exception):
                    start(self._folder)
                    self._stop = stop
            return found

        bridge.backends = started

    def finish(self) -> None:
        """Write what was recorded."""
        with contextlib.suppress(Exception):
            self._stop()
