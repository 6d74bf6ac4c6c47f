"""From a pack to a folder: what every export goes through, whatever its target."""

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol, runtime_checkable

from cmdpack import trust
from cmdpack.errors import ContentError, GrantError, ResolutionError
from cmdpack.export.files import Written, write_export
from cmdpack.packs import Pack
from cmdpack.parse import read_command
from cmdpack.plan import Command
from cmdpack.plugins import Plugins
from cmdpack.registry import Registry


@runtime_checkable
class Target(Protocol):
    """What a `TargetSpec` leads to. It reads nothing and writes nothing."""

    def files(self, pack: Pack, commands: Sequence[Command]) -> Mapping[str, str]:
        """Return the files of the export: relative path, with slashes, to text.

        Raises ContentError for what the target cannot carry.
        """
        ...


def find_pack(registry: Registry, name: str | None = None) -> Pack:
    """Return the pack called `name`, or the built-in one. Raises ResolutionError."""
    wanted = "the built-in pack" if name is None else f"a pack called {name}"
    found = [
        pack
        for pack in registry.packs
        if (pack.origin.trust == "built-in" if name is None else pack.origin.name == name)
    ]
    if len(found) == 1:
        return found[0]
    known = ", ".join(sorted({pack.origin.name for pack in registry.packs})) or "none"
    fact = "is not installed" if not found else "is installed more than once"
    raise ResolutionError(f"{wanted} {fact}", help=f"installed: {known}; see `cmdpack plugins`")


def export_pack(pack: Pack, target: str, plugins: Plugins, directory: Path) -> Written:
    """Write `pack` for the assistant `target` into `directory`.

    Raises GrantError for a pack of somebody else's without a stored grant for exactly what was
    read, ResolutionError for an unknown target, and what reading the pack, the target and
    `write_export` raise.
    """
    commands = [Command(spec=read_command(path), pack=pack.origin) for path in pack.files.values()]
    _require_trust(pack, commands)
    exporter = plugins.load_target(target)
    if not isinstance(exporter, Target):
        raise ContentError(
            f"the target {target} has no method files(pack, commands)",
            help="update the plugin that registers it; `cmdpack plugins` names it",
        )
    return write_export(directory, target, exporter.files(pack, commands))


def _require_trust(pack: Pack, commands: Sequence[Command]) -> None:
    """Refuse what nobody vouched for: an assistant runs an exported command without asking."""
    if pack.origin.trust != "user":
        return
    grant, problem = trust.consent_to_export(pack, commands)
    if grant is None:
        words = ["cmdpack", "trust", "--for", "export", pack.origin.path]
        because = f"\n  note: {problem}" if problem else ""
        raise GrantError(
            "exporting a pack that is neither built in nor installed needs a stored grant for "
            "exactly its content",
            place=pack.origin.path,
            help=f"`{shlex.join(words)}` shows what it says, and stores the grant{because}",
        )
