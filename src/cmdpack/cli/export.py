"""``cmdpack export``: a pack in the form that an assistant loads."""

from pathlib import Path
from typing import Annotated

import typer

from cmdpack.cli.output import JsonOption, write, write_notes
from cmdpack.errors import ExitCode, UsageError
from cmdpack.export.files import Written
from cmdpack.export.target import export_pack, find_pack
from cmdpack.packs import Pack, read_pack
from cmdpack.plugins import Plugins, build_manager
from cmdpack.registry import load_registry
from cmdpack.terminal import one_line


def command(
    directory: Annotated[
        Path, typer.Argument(metavar="DIR", help="A new or empty folder, or an earlier export.")
    ],
    *,
    to: Annotated[
        str,
        typer.Option("--to", metavar="TARGET", help="The assistant; `cmdpack plugins` lists them."),
    ],
    name: Annotated[
        str | None,
        typer.Option("--name", metavar="PACK", help="An installed pack; else the built-in one."),
    ] = None,
    pack: Annotated[
        Path | None,
        typer.Option(
            "--pack",
            metavar="DIR",
            help="A pack that is not installed; needs what `cmdpack trust --for export` stores.",
        ),
    ] = None,
    json: JsonOption = False,
) -> ExitCode:
    """Write a pack in the form that an assistant loads.

    What an earlier export wrote into DIR is replaced; whatever else is in the way stops it.
    """
    plugins = build_manager()
    written = export_pack(_chosen(plugins, name, pack), to, plugins, directory)
    write(written.model_dump_json(indent=2) if json else _summary(written))
    return ExitCode.OK


def _chosen(plugins: Plugins, name: str | None, folder: Path | None) -> Pack:
    if folder is None:
        registry = load_registry(plugins)
        write_notes(registry.diagnostics)
        return find_pack(registry, name)
    if name is not None:
        raise UsageError("--name and --pack both choose a pack", help="give one of them")
    return read_pack(folder, trust="user", source=f"--pack {folder}")[0]


def _summary(written: Written) -> str:
    counts = {
        "written": written.written,
        "unchanged": written.unchanged,
        "removed": written.removed,
    }
    parts = [f"{len(paths)} {what}" for what, paths in counts.items() if paths]
    return f"{one_line(written.directory)}: {', '.join(parts)}"
