"""The hooks: all that a plugin can add to cmdpack.

A plugin is a module (or any object) that an entry point of the group ``cmdpack`` names, with
functions marked by `hookimpl`. Each hook is called at most once in a process, without arguments,
and returns data: nothing is handed a registry to change.
"""

from collections.abc import Sequence
from pathlib import Path

import pluggy
from pydantic import Field

from cmdpack.nouns import Noun

PROJECT = "cmdpack"

hookspec = pluggy.HookspecMarker(PROJECT)
hookimpl = pluggy.HookimplMarker(PROJECT)


class Extension(Noun):
    """Something that a plugin adds under a name, imported only when it is used.

    `load` is ``module:attribute``; the attribute is called without arguments and returns the
    object. `help` is one line for a person.
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9-]*$")
    help: str
    load: str = Field(pattern=r"^[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*$")


class EngineSpec(Extension):
    """An engine: what carries a plan out. A command names it in its frontmatter (``engine:``)."""


class TargetSpec(Extension):
    """A target: an assistant that a pack is exported to."""


@hookspec
def packs() -> Sequence[Path]:
    """Folders of command files that the plugin ships.

    Called when command names are to be resolved. Returns absolute paths; each folder holds
    ``commands/*.md`` and perhaps a ``manifest.toml``, or plain ``*.md``.
    """
    return ()


@hookspec
def engines() -> Sequence[EngineSpec]:
    """Engines that commands of any pack may name.

    Called when command names are to be resolved. Returns descriptions: the engine itself is
    imported when a plan that needs it is run.
    """
    return ()


@hookspec
def targets() -> Sequence[TargetSpec]:
    """Assistants that packs can be exported to.

    Called when something is exported, or plugins are listed. Returns descriptions: the target
    itself is imported when it is exported to.
    """
    return ()
