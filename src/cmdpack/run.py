"""The whole of a run in one place: a word and its arguments -> `Plan` -> events."""

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, cast

from cmdpack import caches, contents, interpreters, planner, recordings, sandbox, trust
from cmdpack.arguments import read_arguments
from cmdpack.dependencies import chain
from cmdpack.engines.base import Engine
from cmdpack.errors import IntegrityError, ResolutionError, UsageError
from cmdpack.events import Event
from cmdpack.plan import Chain, Command, Note, Plan
from cmdpack.planner import Wishes
from cmdpack.plugins import Plugins
from cmdpack.registry import Registry
from cmdpack.selection import choose, option_variables
from cmdpack.spec import Key
from cmdpack.supervision import Control

_JAX_PREFIXES = (
    "JAX_",
    "XLA_",
    "LIBTPU_",
    "TPU_",
    "TF_XLA_FLAGS",
    "CUDA_VISIBLE_DEVICES",
    "NVIDIA_VISIBLE_DEVICES",
    "HIP_VISIBLE_DEVICES",
    "ROCR_VISIBLE_DEVICES",
)


class Request(NamedTuple):
    """What the user typed: a command's name or path, its arguments, and the runner's flags.

    Where a sandbox was asked for by name, no grant counts: not `by_grant`. The content must have
    the digest `expected`, if there is one.
    """

    word: str
    tokens: Sequence[str] = ()
    wishes: Wishes = Wishes()
    python: str | None = None
    fresh: bool = False
    no_deps: bool = False
    runner_flags: Sequence[str] = ()
    by_grant: bool = True
    expected: str | None = None


def prepare(plugins: Plugins, registry: Registry, request: Request) -> Plan:
    """Plan a run; nothing of the pack is executed, and nothing is written.

    Raises `CmdpackError` of every branch but the last: see `errors`.
    """
    command = registry.find(request.word)
    arguments = read_arguments(
        command.spec, request.tokens, runner_flags=request.runner_flags, word=request.word
    )
    linked = Chain(commands=(command,)) if request.no_deps else chain(registry, command)
    commands = linked.commands
    _require_engine(plugins, commands)
    _require_content(commands, request.expected)
    grant, problem = trust.consent(commands) if request.by_grant else (None, None)
    wishes = request.wishes if grant is None else request.wishes._replace(sandbox="off")
    admitted = planner.admit(commands)
    level = sandbox.level_of(admitted, wishes)
    recorded = recordings.planned(wishes)
    own = {name: value for name, value in os.environ.items() if name.startswith(_JAX_PREFIXES)}
    files = [(f"the path of {it.spec.name}", planner.planned_path(it)) for it in commands]
    _require_utf8([*files, *own.items()])
    selecting = choose(command.spec, arguments) is not None
    with sandbox.required(level, _stranger(commands).spec.path):
        examined = interpreters.choose(request.python, os.environ, commands, names=selecting)
    python, has_jax, code, folders, path = examined
    if not has_jax:
        planner.require_jax(commands, python, code)
    environment = {
        **own,
        **planner.platform_variables(wishes, python),
        **option_variables(command.spec, arguments),
    }
    environment |= recordings.variables(recorded, environment)
    jaxlib = python.versions.get("jaxlib")
    if level == "off":
        cache = caches.compile_cache(command.pack, jaxlib, environment, fresh=request.fresh)
    else:
        content = contents.content_digest(contents.of_run(commands))
        around = {**environment, **sandbox.circumstances(level, content)}
        cache = caches.boxed_cache(command.pack, jaxlib, around, fresh=request.fresh)
    plan = planner.make_plan(
        linked,
        arguments,
        python=python,
        code=code,
        wishes=wishes,
        trust=admitted,
        grant=None if grant is None else str(grant),
        cache=recordings.without_cache(recorded, cache),
        environment=environment,
        recordings=recorded,
        notes=[
            *planner.device_notes(python, environment, nvidia=interpreters.shows_nvidia()),
            *(Note(code="plugin", message=str(found)) for found in registry.diagnostics),
            *_grant_notes(grant, problem),
        ],
    )
    box = sandbox.box_of(folders, path, gpu=wishes.allow_gpu)
    return sandbox.confined(plan, level, box, wishes)


def execute(plugins: Plugins, plan: Plan, control: Control) -> Iterator[Event]:
    """Carry `plan` out by the engine that it names; the last event is `RunFinished`.

    Raises `ResolutionError` for an engine that no plugin has.
    """
    engine = cast("Engine", plugins.load_engine(plan.engine))
    return engine.run(plan, control)


def _require_engine(plugins: Plugins, commands: Sequence[Command]) -> None:
    """Raise `ResolutionError`, at its key, for an engine that would not carry its command out."""
    *dependencies, target = commands
    wanted = target.spec.engine
    try:
        plugins.require_engine(wanted)
    except ResolutionError as error:
        place = _place(target, _engine_key(target))
        raise ResolutionError(error.message, place=place, help=error.help) from None
    for it in dependencies:
        if (key := _engine_key(it)) is not None and it.spec.engine != wanted:
            raise ResolutionError(
                f"{it.spec.name} names the engine {it.spec.engine}, but as a dependency of "
                f"{target.spec.name} it would run in the engine {wanted}",
                place=_place(it, key),
                help="name the same engine in both files, or run each on its own",
            )


def _stranger(commands: Sequence[Command]) -> Command:
    """The command for whose sake a run is sandboxed."""
    return next((it for it in commands if it.pack.trust == "user"), commands[-1])


def _require_content(commands: Sequence[Command], expected: str | None) -> None:
    """Raise `IntegrityError` for other content than the user expects."""
    if expected is None:
        return
    if not contents.is_digest(expected):
        raise UsageError(
            f"--expect-digest takes sha256: and 64 hexadecimal digits, not {expected!r}",
            help="`cmdpack show` and `cmdpack run --plan` print the digest of a command",
        )
    found = contents.content_digest(contents.of_run(commands))
    if found != expected:
        raise IntegrityError(
            f"the content is {found}, and {expected} was expected",
            place=commands[-1].spec.path,
            help="a file of the run has changed: `cmdpack show` says what it is now",
        )


def _grant_notes(grant: trust.Grant | None, problem: str | None) -> Iterator[Note]:
    if grant is not None:
        yield Note(code="grant", message=f"runs outside the sandbox: {grant}")
    if problem is not None:
        yield Note(code="grant", message=problem)


def _engine_key(command: Command) -> Key | None:
    """Where a command names its engine; None where it takes what there is."""
    return next((key for key in command.spec.keys if key.name == "engine" and key.value), None)


def _place(command: Command, key: Key | None) -> str:
    path = command.spec.path
    return path if key is None else f"{path}:{key.span.line}:{key.span.column}"


def _require_utf8(named: Iterable[tuple[str, str]]) -> None:
    """A plan and a result are JSON: what they hold must be text."""
    for name, value in named:
        try:
            value.encode()
        except UnicodeEncodeError:
            raise UsageError(f"{name} is not UTF-8: {value!r}") from None
