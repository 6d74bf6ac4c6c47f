"""What JAX does while examples run, seen from outside: its import, compilations, devices.

JAX is never imported here: a user's code may set `XLA_FLAGS` or `JAX_*` variables first, and these
are read when JAX is imported or its backend starts. A hook waits for the user's own import.
"""

import importlib.abc
import importlib.machinery
import sys
import types
from collections.abc import Sequence
from time import perf_counter
from typing import Any

from .compilations import Compilations
from .trace import Trace


class JaxWatch(importlib.abc.MetaPathFinder):
    """Counts and times for one unit after another: `take` returns them and starts afresh."""

    def __init__(self, compilations: Compilations, trace: Trace | None = None) -> None:
        self._jax: Any = None
        self._compilations = compilations
        self._trace = trace or Trace(None)
        self._import_seconds = 0.0
        if "jax" in sys.modules:
            self.attach(sys.modules["jax"], 0.0)
        else:
            sys.meta_path.insert(0, self)

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: types.ModuleType | None = None,
    ) -> importlib.machinery.ModuleSpec | None:
        """Find `jax` as the other finders would, and be told when it has been imported."""
        if fullname != "jax":
            return None
        for finder in sys.meta_path:
            search = None if finder is self else getattr(finder, "find_spec", None)
            spec = search and search(fullname, path, target)
            if spec is not None and spec.loader is not None:
                spec.loader = _TimedLoader(spec.loader, self)
                return spec  # type: ignore[no-any-return]
        return None

    def attach(self, jax: types.ModuleType, seconds: float) -> None:
        """Listen to `jax`, whose import took `seconds`."""
        if self in sys.meta_path:
            sys.meta_path.remove(self)
        self._import_seconds += seconds
        monitoring = sys.modules.get("jax.monitoring")
        if monitoring is None:  # something else of this name
            return
        self._jax = jax
        self._compilations.attach(jax, monitoring)
        self._trace.attach(jax)
        # Looked up now: user code may rebind these names later.
        self._barrier, self._live_arrays = jax.effects_barrier, jax.live_arrays

    def settle(self) -> tuple[str, ...]:
        """Wait until the devices are done. Returns the names of those that hold live arrays.

        Raises what asynchronous work raised, which so belongs to the unit that started it.
        """
        if not self._backend_started():
            return ()
        self._barrier()
        devices = set()
        for array in self._live_arrays():
            if not array.is_deleted():
                array.block_until_ready()
                devices |= array.sharding.device_set
        return tuple(map(str, sorted(devices, key=lambda device: device.id)))

    def take(self) -> dict[str, Any]:
        """What was seen since the last call."""
        taken = {"import_seconds": self._import_seconds, **self._compilations.take()}
        self._import_seconds = 0.0
        return taken

    def devices(self) -> dict[str, Any]:
        """The platform and the devices of a backend that has been started, else nothing."""
        if not self._backend_started():
            return {"platform": None, "devices": []}
        return {
            "platform": self._jax.default_backend(),
            "devices": [
                {"id": d.id, "platform": d.platform, "kind": d.device_kind}
                for d in self._jax.devices()
            ],
        }

    def _backend_started(self) -> bool:
        """Whether JAX has started a backend; asking JAX for a device would start one."""
        bridge = sys.modules.get("jax._src.xla_bridge")
        started = getattr(bridge, "backends_are_initialized", None)
        if self._jax is None:
            return False
        # The function is private. Where it is gone, a compilation is the sign.
        return bool(started()) if started is not None else self._compilations.any


class _TimedLoader(importlib.abc.Loader):
    """Stands in for a module's loader until the module has been executed."""

    def __init__(self, loader: Any, watch: JaxWatch) -> None:  # noqa: ANN401
        self._loader = loader
        self._watch = watch

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> types.ModuleType | None:
        return self._loader.create_module(spec)  # type: ignore[no-any-return]

    def exec_module(self, module: types.ModuleType) -> None:
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        module.__loader__ = self._loader
        start = perf_counter()
        self._loader.exec_module(module)
        self._watch.attach(module, perf_counter() - start)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        """Whoever looks `jax` up without importing it finds what its own loader can do."""
        return getattr(self._loader, name)
