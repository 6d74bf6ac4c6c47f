"""The whole of a run in one place: a word and its arguments -> `Plan` -> events."""

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple, cast

from cmdpack import caches, interpreters, planner
from cmdpack.arguments import read_arguments
from cmdpack.dependencies import chain
from cmdpack.engines.base import Engine
from cmdpack.errors import UsageError
from cmdpack.plan import CompileCache, Note, Plan
from cmdpack.planner import Wishes
from cmdpack.plugins import Plugins
from cmdpack.registry import Registry
from cmdpack.result import Event
from cmdpack.supervision import Control

_JAX_PREFIXES = ("JAX_", "XLA_", "CUDA_VISIBLE_DEVICES", "LIBTPU_", "TPU_")


class Request(NamedTuple):
    """What the user typed: a command's name or path, its arguments, and the runner's flags."""

    word: str
    tokens: Sequence[str] = ()
    wishes: Wishes = Wishes()
    python: str | None = None
    fresh: bool = False
    runner_flags: Sequence[str] = ()


def prepare(registry: Registry, request: Request) -> Plan:
    """Plan a run; nothing of the pack is executed.

    Raises `CmdpackError` of every branch but the last: see `errors`.
    """
    command = registry.find(request.word)
    arguments = read_arguments(command.spec, request.tokens, runner_flags=request.runner_flags)
    commands = chain(registry, command)
    trust = planner.admit(commands, request.wishes.sandbox)
    own = {name: value for name, value in os.environ.items() if name.startswith(_JAX_PREFIXES)}
    files = {f"the path of {it.spec.name}": planner.planned_path(it) for it in commands}
    _require_utf8({**files, **own})
    python, has_jax, code = interpreters.choose(request.python, os.environ, commands)
    if not has_jax:
        planner.require_jax(commands, python, code)
    environment = {**own, **planner.platform_variables(request.wishes, python)}
    jaxlib = python.versions.get("jaxlib")
    cache = caches.compile_cache(command.pack, jaxlib, environment, fresh=request.fresh)
    return planner.make_plan(
        commands,
        arguments,
        python=python,
        code=code,
        wishes=request.wishes,
        trust=trust,
        cache=cache,
        environment=environment,
        notes=[
            *planner.device_notes(python, environment, nvidia=interpreters.shows_nvidia()),
            *_cache_notes(cache),
            *(Note(code="plugin", message=str(found)) for found in registry.diagnostics),
        ],
    )


def execute(plugins: Plugins, plan: Plan, control: Control) -> Iterator[Event]:
    """Carry `plan` out by the engine that it names; the last event is `RunFinished`.

    Raises `ResolutionError` for an engine that no plugin has.
    """
    engine = cast("Engine", plugins.load_engine(plan.engine))
    return engine.run(plan, control)


def _require_utf8(named: Mapping[str, str]) -> None:
    """A plan and a result are JSON: what they hold must be text."""
    for name, value in named.items():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise UsageError(f"{name} is not UTF-8: {value!r}") from None


def _cache_notes(cache: CompileCache) -> list[Note]:
    if cache.failed:
        return [Note(code="cache", message=f"no compile cache: {cache.reason}")]
    return []
