"""Commands, arguments and the facts of a Python -> `Plan`. Pure: what it needs is handed to it."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from cmdpack.codefacts import CodeFacts
from cmdpack.contents import content_digest, of_run
from cmdpack.diagnostics import Diagnostic
from cmdpack.errors import ContentError, UnavailableError, UsageError
from cmdpack.nouns import Span
from cmdpack.parameters import replacements
from cmdpack.plan import (
    Arguments,
    Chain,
    Command,
    CompileCache,
    Note,
    Plan,
    PlannedCommand,
    PlannedExample,
    PlannedSection,
    PlannedUnit,
    PythonFacts,
    Recordings,
    Trust,
    identities,
)
from cmdpack.selection import choose, idle_notes, narrowed
from cmdpack.spec import CommandSpec, Example, Section

DEFAULT_TIMEOUT = 600.0
_TRUST: tuple[Trust, ...] = ("user", "plugin", "built-in")  # from the lowest
_CUT_SHORT = {"MD001"}  # readable, but what would run may be half of what its author wrote
_NOTHING = Recordings()
_GPUS = ("cuda", "rocm")
_EXTRAS = {"cuda": "jax[cuda13]", "rocm": "jax[rocm7-local]", "tpu": "jax[tpu]"}


class Wishes(NamedTuple):
    """What the user asked of the runner; times in seconds.

    Where nothing is said of `keep_going`, the trust of the run decides.
    """

    platform: str | None = None
    emulate: int | None = None
    timeout: float = DEFAULT_TIMEOUT
    sandbox: str = "auto"
    keep_going: bool | None = None
    trace: str | None = None
    dump_hlo: str | None = None
    allow_gpu: bool = False


def planned_path(command: Command) -> str:
    """The absolute path that tracebacks of a command's examples carry."""
    return str(Path(command.spec.path).absolute())


def example_key(command: Command, example: Example) -> str:
    """What tells an example from all others of a run, where facts of its code are kept."""
    return f"{command.spec.path}/{example.id}"


def admit(commands: Sequence[Command]) -> Trust:
    """The trust of a run: the lowest of its parts.

    Raises `ContentError` for a file that cannot be run as it stands.
    """
    for command in commands:
        for diagnostic in command.spec.diagnostics:
            if diagnostic.severity == "error" or diagnostic.code in _CUT_SHORT:
                raise _unusable(diagnostic, command)
    return min((command.pack.trust for command in commands), key=_TRUST.index)


def _unusable(diagnostic: Diagnostic, command: Command) -> ContentError:
    others = sum(d.severity == "error" for d in command.spec.diagnostics if d is not diagnostic)
    more = f" (and {others} more)" if others else ""
    return ContentError(
        f"[{diagnostic.code}] {diagnostic.message}{more}",
        place=diagnostic.place,
        help=diagnostic.help or f"`cmdpack show {command.spec.path}` shows all findings",
    )


def require_jax(
    commands: Sequence[Command], python: PythonFacts, code: Mapping[str, CodeFacts]
) -> None:
    """Raise `UnavailableError` where an example imports JAX and this Python cannot."""
    if any("jax" in facts.imports for facts in code.values()):
        raise UnavailableError(
            f"the examples of {commands[-1].spec.name} need JAX, and {python.executable} "
            f"({python.chosen_because}) has none: `{python.executable} -m pip install "
            "jax`, or name a Python that has it with --python"
        )


def platform_variables(wishes: Wishes, python: PythonFacts) -> dict[str, str]:
    """The environment variables that make JAX use what was asked for, and nothing else.

    Raises `UsageError` for a contradiction, `UnavailableError` for a platform that this
    Python's JAX has no plugin for.
    """
    if wishes.emulate is not None:
        if wishes.platform not in {None, "cpu"}:
            raise UsageError(
                f"--emulate makes CPU devices, --platform asks for {wishes.platform}",
                help="leave one of the two out",
            )
        return {"JAX_PLATFORMS": "cpu", "JAX_NUM_CPU_DEVICES": str(wishes.emulate)}
    if wishes.platform is None:
        return {}
    return {"JAX_PLATFORMS": _available(wishes.platform, python)}


def _available(wanted: str, python: PythonFacts) -> str:
    if wanted == "cpu":
        return wanted
    if wanted == "gpu":
        present = [name for name in _GPUS if name in python.accelerators]
    else:
        present = [name for name in python.accelerators if name == wanted]
    if present:
        return present[0]
    exists = ", ".join(["cpu", *python.accelerators])
    extra = _EXTRAS.get("cuda" if wanted == "gpu" else wanted)
    install = f"install {extra} there, or " if extra else ""
    raise UnavailableError(
        f"asked for --platform {wanted}, but the JAX of this Python has only: {exists}",
        place=python.executable,
        help=f"{install}name one of these",
    )


def make_plan(  # noqa: PLR0913 - a plan holds everything that a run depends on
    chain: Chain,
    arguments: Arguments,
    *,
    python: PythonFacts,
    code: Mapping[str, CodeFacts],
    wishes: Wishes,
    trust: Trust,
    grant: str | None = None,
    cache: CompileCache,
    environment: Mapping[str, str],
    recordings: Recordings = _NOTHING,
    notes: Sequence[Note] = (),
) -> Plan:
    """Plan to run the commands of `chain`; `code` holds the facts of each by its `example_key`.

    Raises `ContentError` for an example that is not Python, and when there is nothing to run.
    """
    target = chain.commands[-1]
    planned = [_planned(command, chain, code) for command in chain.commands]
    planned[-1] = _replaced(planned[-1], replacements(target.spec, arguments))
    if not any(example.units for example in planned[-1].examples):
        raise ContentError(
            "nothing to run: it holds no Python example",
            place=target.spec.path,
            help="an example is a fenced block that is marked `python`",
        )
    chosen, selection = choose(target.spec, arguments), None
    if chosen is not None:
        examples = [it for it in target.spec.examples if it.runnable]
        facts = {it.id: code[example_key(target, it)] for it in examples}
        planned[-1], selection = narrowed(planned[-1], facts, chosen)
    return Plan(
        command=planned[-1].id,
        arguments=arguments,
        selection=selection,
        engine=target.spec.engine,
        commands=tuple(planned),
        python=python,
        platform=wishes.platform,
        emulate=wishes.emulate,
        timeout=wishes.timeout,
        keep_going=_keep_going(wishes, trust),
        trust=trust,
        content=content_digest(of_run(chain.commands)),
        grant=grant,
        cache=cache,
        recordings=recordings,
        environment=dict(environment),
        notes=(
            *_content_notes(chain.commands),
            *idle_notes(target.spec, arguments),
            *(chosen.notes if chosen else ()),
            *notes,
        ),
    )


def _keep_going(wishes: Wishes, trust: Trust) -> bool:
    """Whether to go on after a failure: with unprotected code of others only where told to.

    A check that failed must not be followed by what it was to keep from happening.
    """
    return trust == "built-in" if wishes.keep_going is None else wishes.keep_going


def _planned(command: Command, chain: Chain, code: Mapping[str, CodeFacts]) -> PlannedCommand:
    spec = command.spec
    ids = identities(chain.commands)
    is_target = command is chain.commands[-1]
    needed_by = [ids[path] for path in chain.needed_by.get(spec.path, ())]
    return PlannedCommand(
        id=ids[spec.path],
        name=spec.name,
        path=spec.path,
        file=planned_path(command),
        pack=command.pack,
        digest=spec.digest,
        role="target" if is_target else "dependency",
        reason="asked for" if is_target else f"needed by {', '.join(needed_by)}",
        sections=tuple(PlannedSection(id=s.id, title=s.title, span=s.span) for s in spec.sections),
        examples=tuple(
            _example(spec, ids[spec.path], example, code[example_key(command, example)])
            for example in spec.examples
            if example.runnable
        ),
    )


def _replaced(command: PlannedCommand, new: Mapping[str, dict[str, str]]) -> PlannedCommand:
    examples = tuple(
        it.model_copy(update={"replaced": new[it.id]}) if it.id in new else it
        for it in command.examples
    )
    return command.model_copy(update={"examples": examples})


def _example(spec: CommandSpec, command: str, example: Example, facts: CodeFacts) -> PlannedExample:
    if facts.error is not None:
        raise ContentError(
            f"[PY001] this example is not Python: {facts.error.message}",
            place=f"{spec.path}:{facts.error.line}:{facts.error.column or 1}",
            help="mend it, or mark the fence `python :no-run` or with another language",
        )
    sections = [section for section in spec.sections if section.example == example.id]
    devices = example.directives.get("devices")
    return PlannedExample(
        id=example.id,
        code=example.code,
        line=example.line,
        prefixes=example.prefixes,
        units=tuple(_units(command, facts, sections)),
        expects=example.directives.get("expect-error"),
        devices=int(devices) if devices else None,
    )


def _units(command: str, facts: CodeFacts, sections: Sequence[Section]) -> Iterator[PlannedUnit]:
    missing = f"package missing: {', '.join(facts.missing)}" if facts.missing else None
    for unit in facts.units:
        section = max(
            (s for s in sections if s.span.line <= unit.line),
            key=lambda s: s.span.line,
            default=sections[0],
        )
        yield PlannedUnit(
            id=f"{command}:{unit.line}:{unit.column}",
            span=Span(
                line=unit.line,
                column=unit.column,
                end_line=unit.end_line,
                end_column=unit.end_column,
            ),
            section=section.id,
            left_out=missing,
        )


def _content_notes(commands: Sequence[Command]) -> Iterator[Note]:
    """One note for each file in which something odd was read in the only sensible way."""
    for command in commands:
        if found := command.spec.diagnostics:
            path = command.spec.path
            more = f"; {len(found) - 1} more: `cmdpack show {path}`" if found[1:] else ""
            message = f"{found[0].place}: {found[0].message} ({found[0].code}){more}"
            yield Note(code="content", message=message)


def device_notes(
    python: PythonFacts, environment: Mapping[str, str], *, nvidia: bool
) -> list[Note]:
    """What should be said where a machine has an NVIDIA device that its JAX cannot use."""
    if not nvidia or "cuda" in python.accelerators or environment.get("JAX_PLATFORMS"):
        return []
    message = (
        f"this machine shows an NVIDIA device, but the JAX of {python.executable} has no CUDA "
        f"plugin: the run is on the CPU (install {_EXTRAS['cuda']} there to change that)"
    )
    return [Note(code="device", message=message)]


def fallback_notes(
    python: PythonFacts, environment: Mapping[str, str], platform: str | None
) -> list[Note]:
    """What should be said where JAX started the CPU though something better was to be had.

    `platform` is the one that JAX started, `environment` what it was started with.
    """
    named = environment.get("JAX_PLATFORMS", "")
    first = named.partition(",")[0].strip() or next(iter(python.accelerators), "cpu")
    if platform != "cpu" or first == "cpu":
        return []
    wanted = f"JAX_PLATFORMS={named}" if named else f"an installed plugin for {first}"
    message = f"JAX fell back to the CPU in spite of {wanted}: it could not start {first}"
    return [Note(code="device", message=message)]
