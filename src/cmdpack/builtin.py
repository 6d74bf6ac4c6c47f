"""What cmdpack itself brings, registered through the same hooks as any plugin."""

from collections.abc import Sequence
from pathlib import Path

from cmdpack.hookspecs import EngineSpec, TargetSpec, hookimpl

_PACKAGE = Path(__file__).resolve().parent


@hookimpl
def packs() -> Sequence[Path]:
    """Return the pack that ships in the wheel, or the one of the checkout cmdpack runs from."""
    shipped = _PACKAGE / "_pack"
    checkout = _PACKAGE.parents[1]
    if shipped.is_dir():
        return (shipped,)
    if checkout / "src" / "cmdpack" == _PACKAGE and (checkout / "manifest.toml").is_file():
        return (checkout,)
    return ()


@hookimpl
def engines() -> Sequence[EngineSpec]:
    """Return the default engine."""
    return (
        EngineSpec(
            name="examples",
            help="runs a command's own examples",
            load="cmdpack.engines.examples:ExamplesEngine",
        ),
    )


@hookimpl
def targets() -> Sequence[TargetSpec]:
    """Return the assistants that cmdpack exports to by itself."""
    return (
        TargetSpec(name="claude", help="Claude Code", load="cmdpack.export.claude:ClaudeTarget"),
    )
