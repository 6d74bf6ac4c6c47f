"""The registry: which command a name means."""

import difflib
import os
import shlex
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from cmdpack.diagnostics import Diagnostic
from cmdpack.errors import CmdpackError, InputError, ResolutionError
from cmdpack.nouns import Noun, Span
from cmdpack.packs import Pack, beside, origin_of_file, read_pack
from cmdpack.parse import read_command
from cmdpack.plan import Command, PackOrigin
from cmdpack.plugins import Plugin, Plugins


class Entry(Noun):
    """A command that is known by name and not yet parsed."""

    name: str
    path: Path
    pack: PackOrigin

    @property
    def qualified(self) -> str:
        """``PACK:NAME``, which names one command of one pack."""
        return f"{self.pack.name}:{self.name}"

    def read(self) -> Command:
        """Parse the file. Raises what `read_command` raises."""
        return Command(spec=read_command(self.path), pack=self.pack)


class Registry(Noun):
    """All packs that names are looked up in, and what was found wrong with them on the way."""

    packs: tuple[Pack, ...]
    diagnostics: tuple[Diagnostic, ...] = ()

    def entries(self) -> Iterator[Entry]:
        """Yield every command by name, without parsing it, in the order of the packs."""
        for pack in self.packs:
            for name, path in pack.files.items():
                yield Entry(name=name, path=path, pack=pack.origin)

    def commands(self) -> Iterator[Command]:
        """Yield every command. Raises what `read_command` raises."""
        for entry in self.entries():
            yield entry.read()

    def find(self, word: str) -> Command:
        """Return the command that a user means by `word`.

        With a slash or ending in ``.md`` it is a path; else it is looked up in the packs, as NAME
        or PACK:NAME, and never in the current folder. Raises ResolutionError, and InputError for
        a path that the system refuses.
        """
        try:
            return self._find(word)
        except OSError as error:
            raise InputError(
                f"cannot be read: {error.strerror}",
                place=word,
                help="check the path and its permissions",
            ) from error

    def _find(self, word: str) -> Command:
        if _is_path(word):
            return _read_path(word, self)
        if not self._candidates(word) and (hint := _hint_in_current_folder(word)):
            raise ResolutionError(f"no command is named {word}", help=hint)
        return self._look_up(word)

    def dependency(self, name: str, of: Command) -> Command:
        """Return the command that the command `of` depends on under `name`: its own pack first.

        A dependency is never a path. Raises ResolutionError.
        """
        for entry in self.entries():
            if entry.pack == of.pack and entry.name == name:
                return entry.read()
        if name == of.spec.name:
            return of  # a file on its own, which is in no pack of the registry
        if (path := self._beside(name, of)) is not None:
            return Command(spec=read_command(path), pack=of.pack)
        return self._look_up(name)

    def knows(self, name: str, of: Command) -> bool:
        """Return whether any pack has a command that `of` could mean by `name`."""
        found = name == of.spec.name or self._candidates(name) or self._beside(name, of)
        return bool(found)

    def unknown(self, name: str) -> ResolutionError:
        """Return what is to be said of a name that no pack has, with the next step."""
        for pack in self.packs:
            if distribution := pack.manifest.catalogue.get(name):
                return ResolutionError(
                    f"the command {name} is in the catalogue of pack {pack.origin.name}, "
                    "but not installed",
                    help=_how_to_install(distribution, pack),
                )
        nearest = _nearest(name, [entry.name for entry in self.entries()])
        return ResolutionError(
            f"no command is named {name}",
            help=f"did you mean {' or '.join(nearest)}?"
            if nearest
            else "`cmdpack list` shows all commands",
        )

    def _beside(self, name: str, of: Command) -> Path | None:
        """Return the file called `name` in the pack of `of`, if that was named by its path."""
        if any(pack.origin == of.pack for pack in self.packs):
            return None
        return beside(Path(of.spec.path), name)

    def _candidates(self, word: str) -> list[Entry]:
        return [entry for entry in self.entries() if word in {entry.name, entry.qualified}]

    def _look_up(self, word: str) -> Command:
        candidates = self._candidates(word)
        if not candidates:
            raise self.unknown(word)
        if len(candidates) > 1:
            raise _ambiguous(word, candidates)
        return candidates[0].read()


def load_registry(plugins: Plugins, *, pack_dirs: Sequence[Path] = ()) -> Registry:
    """Gather the packs of the plugins, then those of `pack_dirs`, which the user named.

    A pack of a plugin that cannot be read is left out with diagnostic PL001; one that the user
    named raises what `read_pack` raises. A folder that is named twice counts once, with the
    trust of its first mention.
    """
    packs: dict[Path, Pack] = {}
    diagnostics = list(plugins.diagnostics)
    for plugin in plugins.loaded:
        for folder in plugin.packs:
            try:
                pack, found = _read_plugin_pack(folder, plugin)
            except CmdpackError as error:
                diagnostics.append(_left_out(folder, plugin, error))
            else:
                packs.setdefault(folder.resolve(), pack)
                diagnostics.extend(found)
    for folder in pack_dirs:
        if folder.resolve() not in packs:
            pack, found = read_pack(folder, trust="user", source=f"--pack {folder}")
            packs[folder.resolve()] = pack
            diagnostics.extend(found)
    return Registry(packs=tuple(packs.values()), diagnostics=tuple(diagnostics))


def _read_plugin_pack(folder: Path, plugin: Plugin) -> tuple[Pack, tuple[Diagnostic, ...]]:
    if plugin.built_in:
        return read_pack(folder, trust="built-in", source="built-in")
    source = f"plugin {plugin.name} {plugin.version}"
    return read_pack(folder, trust="plugin", source=source)


def _left_out(folder: Path, plugin: Plugin, error: CmdpackError) -> Diagnostic:
    return Diagnostic(
        code="PL001",
        severity="warning",
        message=f"a pack of plugin {plugin.name} (distribution {plugin.distribution}) is left out: "
        f"{error.message}",
        path=error.place or str(folder),
        span=Span(line=1, column=1, end_line=1, end_column=1),
        help=f"update or uninstall {plugin.distribution}",
    )


def _how_to_install(wanted: str, pack: Pack) -> str:
    """The next step for an entry of a catalogue: a distribution, or ``./`` and a path beside it."""
    if not wanted.startswith("./"):
        return f"pip install {wanted}"
    folder = Path(pack.origin.path, wanted).absolute()
    if folder.is_dir():
        # This Python has cmdpack, so that pip need not look for one of that name elsewhere.
        return f"{sys.executable} -m pip install {shlex.quote(str(folder))}"
    return f"it is in the folder {wanted} of the source of pack {pack.origin.name}"


def _is_path(word: str) -> bool:
    return word.endswith(".md") or "/" in word or os.sep in word


def _read_path(word: str, registry: Registry) -> Command:
    path = Path(word)
    if path.is_dir():
        raise ResolutionError(
            f"{word} is a folder, not a command file",
            help=f"name a file in it, or use its commands by name with --pack {word}",
        )
    if not path.exists():
        raise _no_file(path, word, registry)
    return Command(spec=read_command(path), pack=origin_of_file(path))


def _hint_in_current_folder(word: str) -> str | None:
    if Path(f"{word}.md").is_file():
        return f"for the file in the current folder write ./{word}.md"
    if Path(word).is_dir():
        return f"to use the commands of the folder by their names, add --pack ./{word}"
    return None


def _no_file(path: Path, word: str, registry: Registry) -> ResolutionError:
    bare = word.removeprefix("/").removesuffix(".md")
    if any(entry.name == bare for entry in registry.entries()):
        return ResolutionError(
            f"there is no file {word}",
            help=f"a word with a slash or ending in .md is a path; the command is named {bare}",
        )
    try:
        names = [it.name for it in path.parent.iterdir() if it.suffix == ".md"]
    except OSError:
        names = []
    nearest = [str(path.with_name(name)) for name in _nearest(path.name, names)]
    return ResolutionError(
        f"there is no file {word}",
        help=f"did you mean {' or '.join(nearest)}?"
        if nearest
        else "check the path; `cmdpack list` shows the commands that need none",
    )


def _ambiguous(word: str, candidates: Sequence[Entry]) -> ResolutionError:
    names = [entry.qualified for entry in candidates]
    if len(set(names)) == len(names):
        places = " and ".join(f"{entry.qualified} ({entry.pack.source})" for entry in candidates)
        return ResolutionError(
            f"{len(names)} packs have a command named {word}: {places}",
            help=f"choose one by its pack: {' or '.join(names)}",
        )
    places = " and ".join(str(entry.path) for entry in candidates)
    return ResolutionError(
        f"{len(names)} packs of one name have a command {word}: {places}",
        help="choose one by the path of its file",
    )


def _nearest(word: str, names: Iterable[str]) -> tuple[str, ...]:
    return tuple(difflib.get_close_matches(word, sorted(set(names)), n=3))
