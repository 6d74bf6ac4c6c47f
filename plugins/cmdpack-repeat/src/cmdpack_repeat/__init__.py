"""The engine `repeat`, and a pack whose command is run by it."""

from collections.abc import Sequence
from pathlib import Path

from cmdpack.hookspecs import EngineSpec, hookimpl


@hookimpl
def packs() -> Sequence[Path]:
    """Return the folder with `commands/` and `manifest.toml`."""
    return [Path(__file__).resolve().parent / "pack"]


@hookimpl
def engines() -> Sequence[EngineSpec]:
    """Return the engine; it is imported when a command that names it is run."""
    return [
        EngineSpec(
            name="repeat",
            help="runs the examples again in fresh processes, fails where they print differently",
            load="cmdpack_repeat.engine:RepeatEngine",
        )
    ]
