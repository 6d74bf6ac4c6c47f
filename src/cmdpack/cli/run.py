"""``cmdpack run``: run a command's examples and report the evidence."""

import collections
import contextlib
import gc
import signal
import sys
from collections.abc import Iterator
from enum import StrEnum
from types import FrameType
from typing import Annotated, cast

import typer

from cmdpack import planner, run
from cmdpack.cli.output import JsonOption, PackOption, write
from cmdpack.cli.running import EmulateOption, PlatformOption, PythonOption
from cmdpack.errors import ExitCode, UsageError
from cmdpack.events import Event, RunFinished
from cmdpack.plan import Plan
from cmdpack.plugins import build_manager
from cmdpack.registry import load_registry
from cmdpack.result import RunResult
from cmdpack.supervision import Control

CONTEXT_SETTINGS = {"allow_interspersed_args": False}


class Sandbox(StrEnum):
    """What ``--sandbox`` can ask for."""

    AUTO = "auto"
    PARTIAL = "partial"
    OFF = "off"


def command(  # noqa: PLR0913, PLR0917 - one parameter a flag
    context: typer.Context,
    name: Annotated[
        str, typer.Argument(help="A command's NAME or PACK:NAME, or the path of a Markdown file.")
    ],
    arguments: Annotated[
        list[str] | None, typer.Argument(help="Everything after the name is the command's own.")
    ] = None,
    plan: Annotated[
        bool, typer.Option("--plan", help="Write what would run; run nothing.")
    ] = False,
    json: JsonOption = False,
    events: Annotated[
        bool, typer.Option("--events", help="Write events as JSON lines while they happen.")
    ] = False,
    platform: PlatformOption = None,
    emulate: EmulateOption = None,
    python: PythonOption = None,
    pack: PackOption = None,
    timeout: Annotated[
        float, typer.Option(help="Seconds until the run is ended.", metavar="S", min=0.1, max=1e6)
    ] = planner.DEFAULT_TIMEOUT,
    keep_going: Annotated[
        bool, typer.Option("--keep-going", help="After a failure, run what does not need it.")
    ] = False,
    fail_fast: Annotated[
        bool, typer.Option("--fail-fast", help="Stop at the first failure.")
    ] = False,
    no_deps: Annotated[
        bool, typer.Option("--no-deps", help="Do not run the command's dependencies first.")
    ] = False,
    fresh: Annotated[bool, typer.Option("--fresh", help="Use no compile cache.")] = False,
    trace: Annotated[
        str | None,
        typer.Option(metavar="DIR", help="Record a profile into a new folder; slows the run."),
    ] = None,
    dump_hlo: Annotated[
        str | None,
        typer.Option(
            metavar="DIR", help="Have XLA write its programs into a new folder; compiles all anew."
        ),
    ] = None,
    sandbox: Annotated[
        Sandbox | None,
        typer.Option(
            help="off: run code that is of no installed pack, unprotected. partial: protect files "
            "and TCP only. Default: auto, or what `cmdpack trust` stored."
        ),
    ] = None,
    allow_gpu: Annotated[
        bool, typer.Option("--allow-gpu", help="Let GPUs into the sandbox, and to their drivers.")
    ] = False,
    expect_digest: Annotated[
        str | None,
        typer.Option(metavar="DIGEST", help="Run only content that has this digest; else exit 5."),
    ] = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Report every unit, and whole tracebacks.")
    ] = False,
) -> ExitCode:
    """Run a command's examples, its dependencies first, and report the evidence.

    Exit codes: 0 ok; 1 something failed, or nothing ran; 2 usage; 4 the code needs a sandbox;
    5 the content is not the expected one; 6 something cannot be read; 130 cancelled.
    """
    if events and (json or plan):
        raise UsageError(
            "--events goes with neither --json nor --plan: each is an output of its own"
        )
    if keep_going and fail_fast:
        raise UsageError("--keep-going and --fail-fast contradict each other")
    plugins = build_manager()
    request = run.Request(
        word=name,
        tokens=arguments or (),
        wishes=planner.Wishes(
            platform,
            emulate,
            timeout,
            sandbox or Sandbox.AUTO,
            True if keep_going else False if fail_fast else None,
            trace,
            dump_hlo,
            allow_gpu,
        ),
        python=python,
        fresh=fresh,
        no_deps=no_deps,
        runner_flags=[*_flags(context)],
        by_grant=sandbox is None,
        expected=expect_digest,
    )
    registry = load_registry(plugins, pack_dirs=tuple(pack or ()))
    planned = run.prepare(plugins, registry, request)
    if plan:
        _write_plan(planned, as_json=json)
        return ExitCode.OK
    gc.freeze()  # what the start has made stays, and need not be looked through again
    gc.enable()  # off until now; a run may be long
    with _cancelled_by_interrupt() as control:
        happening = run.execute(plugins, planned, control)
        if not json:
            happening = _shown(happening, as_events=events, verbose=verbose)
        result = _result(happening)
    if json:
        write(result.model_dump_json(indent=2))
    return _EXIT_CODES.get(result.outcome, ExitCode.FAILED)


def _flags(context: typer.Context) -> Iterator[str]:
    """The runner's own flags, as they may be written."""
    for parameter in context.command.params:
        if parameter.param_type_name == "option":
            yield from parameter.opts


_EXIT_CODES = {"ok": ExitCode.OK, "cancelled": ExitCode.CANCELLED}


def _result(happening: Iterator[Event]) -> RunResult:
    """Follow a run to its end; an engine's last event carries the result."""
    (last,) = collections.deque(happening, maxlen=1)
    return cast("RunFinished", last).result


def _write_plan(planned: Plan, *, as_json: bool) -> None:
    if as_json:
        write(planned.model_dump_json(indent=2))
        return
    from cmdpack.report import plans  # noqa: PLC0415 - a run needs no plan as text

    write("\n".join(plans.lines(planned)))


def _shown(happening: Iterator[Event], *, as_events: bool, verbose: bool) -> Iterator[Event]:
    """Show events as they come, in the form asked for, and pass them on."""
    if as_events:
        for event in happening:
            write(event.model_dump_json())
            sys.stdout.flush()
            yield event
        return
    from cmdpack.report.text import TextReport  # noqa: PLC0415 - see below

    report = TextReport(verbose=verbose)
    if sys.stdout.isatty():
        from cmdpack.report import live  # noqa: PLC0415 - brings rich, which costs 70 ms

        yield from live.follow(happening, report)
        return
    for event in happening:
        for line in report.lines(event):
            write(line)
        sys.stdout.flush()
        yield event


@contextlib.contextmanager
def _cancelled_by_interrupt() -> Iterator[Control]:
    """Let Ctrl-C end the run and still report it; a second one ends it without grace."""
    control = Control()

    def cancel(_number: int, _frame: FrameType | None) -> None:
        control.cancel()

    before = signal.signal(signal.SIGINT, cancel)
    try:
        yield control
    finally:
        signal.signal(signal.SIGINT, before)
