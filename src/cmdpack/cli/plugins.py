"""``cmdpack plugins``: the plugins and what each registers."""

from collections.abc import Iterator

from cmdpack.cli.output import JsonOption, line_width, write, write_notes
from cmdpack.errors import ExitCode
from cmdpack.plugins import Plugin, build_manager
from cmdpack.terminal import table


def command(*, json: JsonOption = False) -> ExitCode:
    """List the plugins and what each registers; those that were left out, on standard error."""
    plugins = build_manager()
    if json:
        write(plugins.model_dump_json(indent=2))
        return ExitCode.OK
    rows = [row for plugin in plugins.loaded for row in _rows(plugin)]
    head = ("PLUGIN", "DISTRIBUTION", "VERSION", "REGISTERS")
    write(table([head, *rows], width=line_width(), flexible=3))
    write_notes(plugins.diagnostics)
    return ExitCode.OK


def _rows(plugin: Plugin) -> Iterator[tuple[str, str, str, str]]:
    registers = [
        *(f"pack {path}" for path in plugin.packs),
        *(f"engine {engine.name}: {engine.help}" for engine in plugin.engines),
        *(f"target {target.name}: {target.help}" for target in plugin.targets),
    ]
    yield plugin.name, plugin.distribution, plugin.version, (registers or ["nothing"])[0]
    for further in registers[1:]:
        yield "", "", "", further
