"""Plugins, asked through their hooks: what each registers, and which could not be used."""

import contextlib
import importlib
import io
import os
import sys
import tempfile
import traceback
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import pluggy

from cmdpack import __version__, builtin, hookspecs
from cmdpack.diagnostics import Diagnostic
from cmdpack.errors import ResolutionError
from cmdpack.hookspecs import PROJECT, EngineSpec, Extension, TargetSpec
from cmdpack.nouns import Noun, Span
from cmdpack.terminal import printable

GROUP = "cmdpack"
"""The entry-point group that plugins register in."""

NO_PLUGINS = "CMDPACK_NO_PLUGINS"
"""The environment variable that leaves third-party plugins out when it is set to 1."""

BUILT_IN = "cmdpack"
"""The name of the plugin that is cmdpack itself."""

T = TypeVar("T")
_STANDARD_OUTPUT = 1  # the descriptor


class Plugin(Noun):
    """One plugin and what it registers. `built_in` is cmdpack's own, which no plugin can claim."""

    name: str
    distribution: str
    version: str
    built_in: bool = False
    packs: tuple[Path, ...] = ()
    engines: tuple[EngineSpec, ...] = ()
    targets: tuple[TargetSpec, ...] = ()


class Plugins(Noun):
    """All plugins that could be used, and a diagnostic for each that could not."""

    loaded: tuple[Plugin, ...]
    diagnostics: tuple[Diagnostic, ...] = ()

    def require_engine(self, name: str) -> None:
        """Raise ResolutionError unless exactly one plugin has the engine `name`; import nothing."""
        _find("engine", name, self._engines())

    def load_engine(self, name: str) -> object:
        """Import the engine `name` and return it. Raises ResolutionError."""
        return _load("engine", name, self._engines())

    def _engines(self) -> list[tuple[Extension, Plugin]]:
        return [(it, plugin) for plugin in self.loaded for it in plugin.engines]

    def load_target(self, name: str) -> object:
        """Import the export target `name` and return it. Raises ResolutionError."""
        return _load(
            "target", name, [(it, plugin) for plugin in self.loaded for it in plugin.targets]
        )


def build_manager(*, entry_points: bool = True) -> Plugins:
    """Ask the built-in plugin and, unless `entry_points` is false, those that pip installed.

    Scanning the installed distributions takes tens of milliseconds: call it once, when names are
    to be resolved. A plugin that raises, prints or exits is left out with diagnostic PL001; what
    it prints reaches no output of ours.
    """
    loaded = [_ask(builtin, name=BUILT_IN, distribution="cmdpack", version=__version__)]
    diagnostics = []
    if entry_points and os.environ.get(NO_PLUGINS, "0") in {"", "0"}:
        for outcome in map(_admit, _installed()):
            if isinstance(outcome, Plugin):
                loaded.append(outcome)
            else:
                diagnostics.append(outcome)
    return Plugins(loaded=tuple(loaded), diagnostics=tuple(diagnostics))


class _Found(NamedTuple):
    """An entry point of ours, and the distribution that has it."""

    name: str
    value: str
    distribution: str
    version: str


def _installed() -> list[_Found]:
    """Return the entry points of our group by name; of a distribution found twice, the first.

    A distribution whose entry points cannot be read is passed over, whether or not it is ours;
    `importlib.metadata.entry_points` would let it stop all others.
    """
    found: dict[tuple[str, str], _Found] = {}
    for distribution in metadata.distributions():
        try:
            entry_points = distribution.entry_points.select(group=GROUP)
            for name, value in [(it.name, it.value) for it in entry_points]:
                fields = distribution.metadata
                owner, version = fields["Name"] or "unknown", fields["Version"] or "unknown"
                found.setdefault((name, owner), _Found(name, value, owner, version))
        except Exception:  # noqa: BLE001, S112 - whatever damaged metadata makes the parser raise
            continue
    return sorted(found.values())


def _admit(found: _Found) -> Plugin | Diagnostic:
    printed = io.StringIO()
    try:
        with _printing_to(printed):
            entry_point = metadata.EntryPoint(found.name, found.value, GROUP)
            plugin = _ask(
                entry_point.load(),
                name=found.name,
                distribution=found.distribution,
                version=found.version,
            )
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - also SystemExit: a plugin does not end cmdpack
        return _left_out(found, f"raised {_said(error)}", _raised_at(error))
    if text := printed.getvalue().strip():
        first = text.splitlines()[0]
        return _left_out(found, f"printed to standard output while loading: {first!r}", None)
    return plugin


@contextlib.contextmanager
def _printing_to(text: io.StringIO) -> Iterator[None]:
    """Gather in `text` what is written to standard output, also past `sys.stdout`."""
    _flush_output()
    with tempfile.TemporaryFile() as file:
        kept = os.dup(_STANDARD_OUTPUT)
        os.dup2(file.fileno(), _STANDARD_OUTPUT)
        try:
            with contextlib.redirect_stdout(text):
                yield
        finally:
            _flush_output()
            os.dup2(kept, _STANDARD_OUTPUT)
            os.close(kept)
            file.seek(0)
            text.write(file.read().decode(errors="replace"))


def _flush_output() -> None:
    for stream in (sys.stdout, sys.__stdout__):
        with contextlib.suppress(OSError, ValueError):  # full, or closed: for who writes next
            if stream is not None:
                stream.flush()


def _ask(plugin: object, *, name: str, distribution: str, version: str) -> Plugin:
    # A manager for each plugin: what one does wrong cannot reach the answers of the others.
    manager = pluggy.PluginManager(PROJECT)
    manager.add_hookspecs(hookspecs)
    manager.register(plugin, name=name)
    manager.check_pending()
    found = _answers(manager.hook.packs, Path)
    for path in found:
        if not path.is_absolute():
            raise ValueError(f"the hook packs returned {path}, which is not an absolute path")
    return Plugin(
        name=name,
        distribution=distribution,
        version=version,
        built_in=plugin is builtin,
        packs=found,
        engines=_answers(manager.hook.engines, EngineSpec),
        targets=_answers(manager.hook.targets, TargetSpec),
    )


def _answers(hook: pluggy.HookCaller, kind: type[T]) -> tuple[T, ...]:
    items = tuple(item for answer in hook() for item in answer)
    for item in items:
        if not isinstance(item, kind):
            raise TypeError(f"the hook {hook.name} returned {item!r}, which is no {kind.__name__}")
    return items


def _left_out(found: _Found, fact: str, place: tuple[str, int] | None) -> Diagnostic:
    path, line = place or (f"entry point {found.name} = {found.value}", 1)
    message = f"plugin {found.name} (distribution {found.distribution}) {fact}; it is left out"
    return Diagnostic(
        code="PL001",
        severity="warning",
        message=_encodable(message),
        path=_encodable(path),
        span=Span(line=line, column=1, end_line=line, end_column=1),
        help=f"uninstall {found.distribution}, or do without plugins: {NO_PLUGINS}=1",
    )


def _said(error: BaseException) -> str:
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:  # noqa: BLE001 - an exception of a stranger's, whose own text can fail
        return type(error).__name__


def _encodable(text: str) -> str:
    return text.encode(errors="backslashreplace").decode()


def _raised_at(error: BaseException) -> tuple[str, int] | None:
    """Return the innermost place of the plugin's own code."""
    if isinstance(error, SyntaxError) and error.filename:
        return error.filename, error.lineno or 1
    machinery = (__file__, str(Path(pluggy.__file__).parent), str(Path(importlib.__file__).parent))
    frames = [
        (frame.filename, frame.lineno or 1)
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith(("<", *machinery))
    ]
    return frames[-1] if frames else None


def _find(
    kind: str, name: str, owned: Sequence[tuple[Extension, Plugin]]
) -> tuple[Extension, Plugin]:
    found = [(extension, plugin) for extension, plugin in owned if extension.name == name]
    if not found:
        known = ", ".join(sorted(extension.name for extension, _ in owned))
        raise ResolutionError(f"no {kind} is named {name}", help=f"installed are: {known}")
    if len(found) > 1:
        owners = " and ".join(plugin.distribution for _, plugin in found)
        raise ResolutionError(
            f"the {kind} {name} is registered by {owners}", help="uninstall one of them"
        )
    return found[0]


def _load(kind: str, name: str, owned: Sequence[tuple[Extension, Plugin]]) -> object:
    extension, plugin = _find(kind, name, owned)
    if plugin.built_in:
        return _call(extension.load)
    printed = io.StringIO()
    try:
        with _printing_to(printed):
            return _call(extension.load)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        raise ResolutionError(
            f"the {kind} {name} cannot be loaded from {extension.load}: {_said(error)}",
            help=f"update or uninstall {plugin.distribution}",
        ) from error
    finally:  # what it prints is no output of ours
        sys.stderr.write(printable(printed.getvalue()))


def _call(reference: str) -> object:
    module, _, attribute = reference.partition(":")
    factory: Any = importlib.import_module(module)
    for part in attribute.split("."):
        factory = getattr(factory, part)
    loaded: object = factory()
    return loaded
