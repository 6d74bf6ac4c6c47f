"""Which of the examples' functions JAX compiles, and again, and why: by `jax.monitoring` alone.

JAX says when it begins and ends to trace a function. The functions of the examples whose counters
fire in between are what is traced; the first of them is what was given to ``jax.jit``, and its
arguments are what the executable is made for. Where JAX does not say so, it is not known.
"""

import functools
import sys
import threading
import types
from collections.abc import Callable, Collection, Iterable, Iterator
from time import perf_counter
from typing import Any, NamedTuple

from . import estimates, signatures
from .counters import Counter

_TRACE = "/jax/core/compile/jaxpr_trace_duration"
_LOWER = "/jax/core/compile/jaxpr_to_mlir_module_duration"
_COMPILE = "/jax/core/compile/backend_compile_duration"
_CACHE_HIT = "/jax/compilation_cache/cache_hits"

_LOOPS = {"jit(scan)", "jit(while)", "jit(cond)"}
"""What JAX compiles functions under that were given to `jax.lax`, having traced them itself."""
_JAXPR_TRACER = "DynamicJaxprTracer"
_COMPILES_ITSELF = {"PjitFunction", "ufunc"}
_Exception = Exception  # looked up now: user code may delete it
_MOST = 1000  # compilations of one unit that are told one by one


_REMEMBERED = 50  # signatures of one function that a new one is compared with
_SHARED = 4  # frames of `jax.monitoring` and around it, above JAX's beginning of a trace

_Place = tuple[str, int]


def _harmless(method: Callable[..., None]) -> Callable[..., None]:
    """Keep what goes wrong here away from the example in whose middle it happens."""

    @functools.wraps(method)
    def guarded(*arguments: Any, **facts: Any) -> None:  # noqa: ANN401
        try:
            method(*arguments, **facts)
        except _Exception:
            return

    return guarded


class Subject(NamedTuple):
    """What was given to ``jax.jit``: a function, by number, and the transformations around it.

    These are the code that runs between JAX's beginning and the function's.
    """

    function: int
    around: tuple[types.CodeType, ...]


class Trace:
    """One tracing by JAX, from its beginning on."""

    def __init__(self, depth: int, place: _Place) -> None:
        self.depth = depth
        self.place = place
        self.functions: dict[int, None] = {}
        self.subject: Subject | None = None
        self.signature: signatures.Signature = {}


class Compilations:
    """Collects what JAX compiles, for one unit after another: see `take`."""

    def __init__(
        self, documents: Collection[str], counter: Counter, *, listens: bool = True
    ) -> None:
        self._documents = documents
        self._listens = listens
        self._counter = counter
        self._jax: Any = None
        self._tracer: type | None = None
        self._begins = False  # whether JAX says when it begins
        self._tracing: dict[int, list[Trace]] = {}  # by thread, the innermost last
        self._traced: dict[int, Trace] = {}  # by thread
        self._lowered: dict[str, list[Trace]] = {}
        self._loose: dict[int, None] = {}
        self._signatures: dict[Subject, list[signatures.Signature]] = {}
        self._subjects: dict[str, Subject | None] = {}
        self._hit = False
        self.any = False
        """Whether JAX has compiled anything in this process."""
        self._reset()

    def _reset(self) -> None:
        self._intervals: dict[str, list[tuple[float, float]]] = {
            _TRACE: [],
            _LOWER: [],
            _COMPILE: [],
        }
        self._hits = 0
        self._compiled: dict[int, None] = {}
        self._told: list[dict[str, Any]] = []

    def attach(self, jax: types.ModuleType, monitoring: types.ModuleType) -> None:
        """Listen to what JAX says of its compilations."""
        self._jax = jax
        self._tracer = getattr(getattr(jax, "core", None), "Tracer", None)
        if not self._listens:
            return
        monitoring.register_event_duration_secs_listener(self._on_end)
        monitoring.register_event_listener(self._on_event)
        if (register := getattr(monitoring, "register_scalar_listener", None)) is not None:
            register(self._on_begin)

    # What JAX says

    @_harmless
    def _on_begin(self, event: str, _value: float, **_: object) -> None:
        if event == _TRACE:
            self._begins = True
            chain = [*_frames(sys._getframe())]
            trace = Trace(len(chain), self._place(chain))
            self._tracing.setdefault(threading.get_ident(), []).append(trace)
            self._counter.watch = self._on_entry
        elif event == _COMPILE:
            self._hit = False

    @_harmless
    def _on_event(self, event: str, **_: object) -> None:
        if event == _CACHE_HIT:
            self._hits += 1
            self._hit = True

    @_harmless
    def _on_end(self, event: str, seconds: float, **facts: object) -> None:
        if event not in self._intervals:
            return
        self.any |= event == _COMPILE
        now = perf_counter()
        self._intervals[event].append((now - seconds, now))
        if not self._begins:
            return
        thread, name = threading.get_ident(), str(facts.get("fun_name"))
        if event == _TRACE:
            self._end_trace(thread)
        elif event == _COMPILE:
            self._end_compilation(name)
        elif thread in self._traced:
            self._lowered.setdefault(name, []).append(self._traced.pop(thread))

    def _end_trace(self, thread: int) -> None:
        traces = self._tracing.get(thread)
        if traces:
            # What was traced within the tracing of another function has become part of it.
            self._traced[thread] = traces.pop()
            if not traces:
                del self._tracing[thread]
        if not self._tracing:
            self._counter.watch = None

    def _end_compilation(self, name: str) -> None:
        lowered = self._lowered.pop(name, [])
        trace = lowered.pop() if lowered else None
        if lowered:
            self._lowered[name] = lowered
        if trace is None:
            # Compiled without being traced: what is new is not the function, nor its arguments.
            subject = self._subjects.get(name)
            if subject is not None and not _is_of_jax(name):
                place = self._place(_frames(sys._getframe()))
                self._tell(name, subject, place, signatures.Change("placement", []))
        elif trace.subject is None:
            self._subjects[name] = None  # something of JAX's own is called the same
            if name in _LOOPS:
                self._compiled.update(self._loose)
                self._loose = {}
        else:
            self._compiled.update(trace.functions)
            self._subjects[name] = self._subjects.get(name, trace.subject) and trace.subject
            before = self._signatures.setdefault(trace.subject, [])
            change = self._change(trace.signature, before) if before else None
            before[:] = [*before[1 - _REMEMBERED :], trace.signature]
            self._tell(name, trace.subject, trace.place, change)

    def _change(
        self, now: signatures.Signature, before: list[signatures.Signature]
    ) -> signatures.Change:
        if self._tracer is None:
            return signatures.Change("unknown", [])
        return signatures.change(now, before)

    def _tell(
        self, name: str, subject: Subject, place: _Place, change: signatures.Change | None
    ) -> None:
        if len(self._told) < _MOST:
            self._told.append(
                {
                    "function": subject.function,
                    "file": place[0],
                    "line": place[1],
                    "cached": self._hit,
                    "estimate": estimates.of_newest(self._jax, name),
                    "change": change and change._asdict(),
                }
            )

    # What the counters say

    @_harmless
    def _on_entry(self, number: int, frame: types.FrameType) -> None:
        traces = self._tracing.get(threading.get_ident(), [])
        for trace in traces:
            trace.functions[number] = None
        if traces and traces[0].subject is None:
            chain = [*_frames(frame)]
            between = max(0, len(chain) - traces[0].depth + _SHARED)
            codes = tuple(it.f_code for it in chain[1:between])
            traces[0].subject = Subject(number, codes)
            if self._tracer is not None:
                traces[0].signature = signatures.of(frame, self._tracer)

    @_harmless
    def first_entry(self, number: int, frame: types.FrameType) -> None:
        """Enter that a unit has entered a function for the first time."""
        if self._jax is not None and threading.get_ident() not in self._tracing:
            arguments = frame.f_locals.values()  # nothing else has a value yet
            if any(type(it).__name__ == _JAXPR_TRACER for it in arguments):
                self._loose[number] = None

    # What was seen

    def take(self) -> dict[str, Any]:
        """What was seen since the last call; times that overlap are counted once, in seconds."""
        traces, lowerings, compilations = self._intervals.values()
        compiling = _covered(compilations)
        lowering = _covered(lowerings + compilations) - compiling
        tracing = _covered(traces + lowerings + compilations) - lowering - compiling
        taken = {
            "trace_seconds": tracing,
            "lower_seconds": lowering,
            "compile_seconds": compiling,
            "executables": len(compilations),
            "cache_hits": self._hits,
            "functions_compiled": [*self._compiled] if self._begins or not compilations else None,
            "compilations": self._told,
        }
        self._counter.watch = None
        self._tracing, self._loose = {}, {}
        self._reset()
        return taken

    def _place(self, frames: Iterable[types.FrameType]) -> _Place:
        """The innermost line of the examples."""
        own = (it for it in frames if it.f_code.co_filename in self._documents)
        return next(((it.f_code.co_filename, it.f_lineno) for it in own), ("", 0))


def _is_of_jax(name: str) -> bool:
    """Whether JAX itself compiles something by this name, such as ``jit(add)``."""
    inner = name.partition("(")[2].removesuffix(")")
    modules = [module for path, module in [*sys.modules.items()] if path.startswith("jax.")]
    return any(type(vars(it).get(inner)).__name__ in _COMPILES_ITSELF for it in modules)


def _frames(frame: types.FrameType | None) -> Iterator[types.FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _covered(intervals: list[tuple[float, float]]) -> float:
    """Total length of the union of intervals: the traces of nested functions overlap."""
    total = 0.0
    reached = float("-inf")
    for start, end in sorted(intervals):
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total
