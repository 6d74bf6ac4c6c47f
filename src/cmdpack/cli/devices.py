"""``cmdpack devices``: the devices that examples would run on."""

import os

from cmdpack import interpreters, planner
from cmdpack.cli.output import JsonOption, line_width, write, write_notes
from cmdpack.cli.running import EmulateOption, PlatformOption, PythonOption
from cmdpack.devices import DeviceReport, find_devices
from cmdpack.errors import ExitCode
from cmdpack.terminal import table


def command(
    *,
    platform: PlatformOption = None,
    emulate: EmulateOption = None,
    python: PythonOption = None,
    json: JsonOption = False,
) -> ExitCode:
    """Start JAX and show the devices that examples would run on."""
    facts = interpreters.choose(python, os.environ, ()).python
    wishes = planner.Wishes(platform=platform, emulate=emulate)
    environment = planner.platform_variables(wishes, facts)
    report = find_devices(facts, environment, platform)
    if json:
        write(report.model_dump_json(indent=2))
        return ExitCode.OK
    head = ("ID", "PLATFORM", "KIND")
    rows = [(str(device.id), device.platform, device.kind) for device in report.devices]
    write(table([head, *rows], width=line_width(), flexible=2))
    write(_python(report))
    own = {**os.environ, **environment}
    notes = [
        *planner.device_notes(facts, own, nvidia=interpreters.shows_nvidia()),
        *planner.fallback_notes(facts, own, report.platform),
    ]
    write_notes(note.message for note in notes)
    return ExitCode.OK


def _python(report: DeviceReport) -> str:
    python = report.python
    versions = [f"{name} {version}" for name, version in sorted(python.versions.items())]
    return f"{', '.join(versions)}, Python {python.version} ({python.executable})"
