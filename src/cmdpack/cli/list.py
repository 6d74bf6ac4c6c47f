"""``cmdpack list``: the commands that can be run by name."""

from collections.abc import Sequence

from cmdpack.cli.output import (
    JsonOption,
    PackOption,
    line_width,
    open_registry,
    write,
    write_notes,
)
from cmdpack.diagnostics import Diagnostic
from cmdpack.errors import CmdpackError, ExitCode
from cmdpack.nouns import Noun
from cmdpack.packs import Pack
from cmdpack.plan import Command, PackOrigin
from cmdpack.registry import Registry
from cmdpack.terminal import table


class Listed(Noun):
    """One command that can be run by name."""

    name: str
    title: str
    description: str
    version: str | None
    path: str
    pack: PackOrigin


class Listing(Noun):
    """All of them, and the packs; `unreadable` says which files could not be read, and why."""

    packs: tuple[Pack, ...]
    commands: tuple[Listed, ...]
    unreadable: tuple[str, ...]
    diagnostics: tuple[Diagnostic, ...]


def command(pack: PackOption = None, *, json: JsonOption = False) -> ExitCode:
    """List the commands that can be run by name."""
    listing = _listing(open_registry(pack))
    if json:
        write(listing.model_dump_json(indent=2))
        return ExitCode.OK
    write_notes((*listing.diagnostics, *listing.unreadable))
    if listing.commands:
        write(_table(listing.commands))
    else:
        write_notes(["no commands are installed; --pack DIR adds a folder of command files"])
    return ExitCode.OK


def _listing(registry: Registry) -> Listing:
    commands, unreadable = [], []
    for entry in registry.entries():
        try:
            commands.append(_listed(entry.read()))
        except CmdpackError as error:
            unreadable.append(str(error))
    return Listing(
        packs=registry.packs,
        commands=tuple(commands),
        unreadable=tuple(unreadable),
        diagnostics=registry.diagnostics,
    )


def _listed(found: Command) -> Listed:
    spec = found.spec
    return Listed(
        name=spec.name,
        title=spec.title,
        description=spec.description,
        version=spec.version,
        path=spec.path,
        pack=found.pack,
    )


def _table(commands: Sequence[Listed]) -> str:
    rows = [(it.name, it.description or it.title, it.pack.name, it.pack.source) for it in commands]
    head = ("NAME", "DESCRIPTION", "PACK", "FROM")
    return table([head, *rows], width=line_width(), flexible=1)
