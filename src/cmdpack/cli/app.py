"""The command line as a whole: it finds the verb, and turns what stops it into an exit code.

A verb is a module ``cmdpack.cli.VERB``, imported only when it is asked for, with

- ``command``, a function with typer annotations that returns an `ExitCode`. Its docstring is the
  verb's help. It raises `CmdpackError` for whatever a user is to read, and lets KeyboardInterrupt
  and BrokenPipeError pass: all are dealt with here, in one place;
- optionally ``CONTEXT_SETTINGS``, a dict for typer, as for a verb whose words after a name are not
  its own (``allow_interspersed_args``, ``ignore_unknown_options``).

Its one-line help stands in `VERBS`, so that ``cmdpack --help`` imports no verb.
"""

import difflib
import importlib
import sys
from collections.abc import Sequence
from typing import Any, cast

import typer
from typer.core import TyperCommand, TyperGroup

from cmdpack.cli.stdout import checked_output
from cmdpack.errors import CmdpackError, ExitCode, UsageError
from cmdpack.terminal import printable

VERBS = {
    "run": "Run a command's examples and report the evidence.",
    "list": "List the commands that can be run by name.",
    "show": "Show what a command file says, without running it.",
    "devices": "Show the devices that examples would run on.",
    "plugins": "List the plugins and what each registers.",
    "export": "Write a pack in the form that an assistant loads.",
    "trust": "Show what would run, and store your consent to it.",
}

_HELP = "Command packs for AI coding assistants: read, run and proven."
_EPILOG = "`cmdpack --version` prints the version."
_NAMES = {"help_option_names": ["-h", "--help"]}


class _Verbs(TyperGroup):
    """The group of verbs. The signatures are typer's, with wide types for what it keeps private."""

    def list_commands(self, ctx: object) -> list[str]:  # noqa: ARG002 - see above
        return list(VERBS)

    def get_command(self, ctx: object, cmd_name: str) -> TyperCommand:  # noqa: ARG002 - see above
        if cmd_name not in VERBS:
            near = difflib.get_close_matches(cmd_name, VERBS, n=1)
            hint = f"did you mean {near[0]}?" if near else f"the verbs are {', '.join(VERBS)}"
            raise UsageError(f"no verb is named {cmd_name}", help=hint)
        verb = importlib.import_module(f"cmdpack.cli.{cmd_name}")
        app = typer.Typer(add_completion=False, rich_markup_mode=None)
        settings = {**_NAMES, **getattr(verb, "CONTEXT_SETTINGS", {})}
        app.command(cmd_name, context_settings=settings)(verb.command)
        return cast("TyperCommand", typer.main.get_command(app))

    def format_commands(self, ctx: object, formatter: Any) -> None:  # noqa: ANN401, ARG002 - see above
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))


def run_app(arguments: Sequence[str]) -> int:
    """Run one command line, write what stops it to standard error, and return the exit code."""
    try:
        with checked_output():
            for stream in (sys.stdout, sys.stderr):
                if hasattr(stream, "reconfigure"):  # what the terminal's encoding lacks: no crash
                    stream.reconfigure(errors="backslashreplace")
            _check_encoding(arguments)
            return _invoke(arguments)
    except CmdpackError as error:
        return _stopped(str(error), error.exit_code)
    except typer.TyperException as error:
        verb = next((word for word in arguments if word in VERBS), None)
        refused = UsageError(
            error.format_message().strip(),
            help=f"cmdpack {verb} --help" if verb else "cmdpack --help",
        )
        return _stopped(str(refused), ExitCode(error.exit_code))
    except (KeyboardInterrupt, typer.Abort):
        return ExitCode.CANCELLED
    except BrokenPipeError:  # whoever reads has had enough
        return ExitCode.PIPE_CLOSED


def _check_encoding(arguments: Sequence[str]) -> None:
    for argument in arguments:
        try:
            argument.encode()
        except UnicodeEncodeError:
            raise UsageError(f"the argument {argument!r} is not UTF-8") from None


def _invoke(arguments: Sequence[str]) -> int:
    app = typer.Typer(
        cls=_Verbs,
        help=_HELP,
        epilog=_EPILOG,
        subcommand_metavar="VERB [ARGS]...",
        add_completion=False,
        rich_markup_mode=None,
        context_settings=_NAMES,
    )
    app.callback()(lambda: None)
    group = typer.main.get_group(app)
    try:
        # Not `group.main`: it would end the process, and say "Error" in its own way.
        with group.make_context("cmdpack", list(arguments) or ["--help"]) as context:
            return int(group.invoke(context))
    except typer.Exit as end:
        return end.exit_code


def _stopped(message: str, code: ExitCode) -> int:
    sys.stderr.write(f"error: {printable(message)}\n")
    return code
