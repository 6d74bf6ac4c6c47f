"""``cmdpack trust``: show what would run or be exported, and store the consent to it."""

from collections.abc import Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from cmdpack import contents, trust
from cmdpack.cli.output import JsonOption, PackOption, line_width, open_registry, write, write_notes
from cmdpack.contents import Text
from cmdpack.dependencies import chain
from cmdpack.errors import ExitCode, UsageError
from cmdpack.nouns import Noun
from cmdpack.packs import read_pack
from cmdpack.parse import read_command
from cmdpack.plan import Command
from cmdpack.report import consents
from cmdpack.terminal import one_line, table
from cmdpack.trust import Grant, Scope


class For(StrEnum):
    """What ``--for`` can name."""

    RUN = "run"
    EXPORT = "export"


class Grants(Noun):
    """What ``--json`` writes: grants, and why none counts where the store cannot be believed."""

    grants: tuple[Grant, ...]
    problem: str | None = None


class _Asked(NamedTuple):
    """One consent that is asked for: where the content lies, its texts, and how to show them."""

    path: Path
    texts: tuple[Text, ...]
    lines: tuple[str, ...]


def command(  # noqa: PLR0913 - one parameter a flag
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH | list | remove PATH|DIGEST",
            help="A command file or a folder; or the grants that are stored, or one to withdraw.",
        ),
    ],
    *,
    scope: Annotated[
        For | None,
        typer.Option("--for", help="Run outside the sandbox (default), or export to an assistant."),
    ] = None,
    mine: Annotated[
        bool,
        typer.Option("--mine", help="All below the folder PATH, now and later: your own work."),
    ] = False,
    show: Annotated[bool, typer.Option("--show", help="Only show; store nothing.")] = False,
    pack: PackOption = None,
    json: JsonOption = False,
) -> ExitCode:
    """Show what would run, or what changed since you approved it, and store your consent.

    A grant is for exactly the content that is shown: a file of it that changes voids it. A file
    called list or remove is written ./list.
    """
    match words:
        case ["list"]:
            return _list(scope, as_json=json)
        case ["remove", word]:
            return _remove(word, scope, as_json=json)
        case [word] if word != "remove":
            if mine:
                return _approve_folder(word, scope or For.RUN, only_show=show, as_json=json)
            return _approve(word, scope or For.RUN, pack, only_show=show, as_json=json)
    raise UsageError("give one PATH, or list, or remove and a PATH or digest")


def _approve(
    word: str, scope: For, pack: Sequence[Path] | None, *, only_show: bool, as_json: bool
) -> ExitCode:
    kind: Scope = scope.value
    asked = [*(_runs(word, pack) if scope is For.RUN else [_export(word)])]
    stored = []
    for it in asked:
        _require_utf8(it.path)
        if not as_json:
            write("\n".join(_shown(kind, it)))
        if not only_show:
            grant, aside = trust.approve(kind, it.path, it.texts)
            stored.append(grant)
            write_notes([aside] if aside else [])
    if as_json:
        write(Grants(grants=tuple(stored)).model_dump_json(indent=2))
    elif only_show:
        write("\nnothing is stored (--show)")
    else:
        write("\n".join(["", *map(_stored, stored)]))
    return ExitCode.OK


def _runs(word: str, pack: Sequence[Path] | None) -> Iterator[_Asked]:
    """The run of one command, or of each command of a folder."""
    folder = Path(word)
    is_folder = folder.is_dir()
    registry = open_registry([*(pack or ()), *([folder] if is_folder else ())])
    write_notes(registry.diagnostics)
    if is_folder:
        entries = registry.entries()
        own = (it for it in entries if Path(it.pack.path).resolve() == folder.resolve())
        found = [entry.read() for entry in own]
    else:
        found = [registry.find(word)]
    for target in found:
        commands = chain(registry, target).commands
        if all(it.pack.trust != "user" for it in commands):
            raise UsageError(
                f"{target.spec.name} is built in or installed, and runs without a grant",
                place=target.spec.path,
            )
        path = Path(target.spec.path).resolve()
        yield _Asked(path, contents.of_run(commands), tuple(consents.code(commands)))


def _export(word: str) -> _Asked:
    folder = Path(word)
    pack, findings = read_pack(folder, trust="user", source=word)
    write_notes(findings)
    commands = [Command(spec=read_command(path), pack=pack.origin) for path in pack.files.values()]
    texts = contents.of_export(pack, commands)
    return _Asked(folder.resolve(), texts, tuple(consents.whole(texts)))


def _shown(scope: Scope, asked: _Asked) -> Iterator[str]:
    digest = contents.content_digest(asked.texts)
    before = trust.previous(scope, asked.path)
    kept = {} if before is None else _kept(before)
    if before is not None and before.digest == digest:
        yield from asked.lines
        yield f"content {digest}, which you approved before"
        return
    if before is None or kept is None:
        yield from asked.lines
    else:
        yield f"since you approved it (content {before.digest}):"
        yield from consents.changes(kept, asked.texts)
    yield f"content {digest}"


def _kept(grant: Grant) -> dict[str, str] | None:
    """The texts of an earlier approval by name; None where that does not tell all of them."""
    texts = {part.name: trust.approved_text(part) for part in grant.parts}
    known = {name: text for name, text in texts.items() if text is not None}
    return known if len(known) == len(grant.parts) else None


def _stored(grant: Grant) -> str:
    allows = {
        "run": "runs outside the sandbox, with all your rights",
        "export": "may be exported to an assistant",
    }
    what = "all below it" if grant.digest is None else f"the content {grant.digest}"
    path = one_line(grant.path)
    return f"stored: {path}: {what} {allows[grant.scope]} (`cmdpack trust remove` withdraws it)"


def _approve_folder(word: str, scope: For, *, only_show: bool, as_json: bool) -> ExitCode:
    folder = Path(word)
    _require_utf8(folder.resolve())
    if only_show:
        raise UsageError("--mine is about a folder and not about its content: nothing to show")
    grant, aside = trust.approve_folder(scope.value, folder)
    write_notes([aside] if aside else [])
    if as_json:
        write(Grants(grants=(grant,)).model_dump_json(indent=2))
    else:
        write(f"{_stored(grant)}\nalso what others' changes bring into it, as by `git pull`")
    return ExitCode.OK


def _require_utf8(path: Path) -> None:
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise UsageError(f"the path is not UTF-8: {str(path)!r}") from None


def _list(scope: For | None, *, as_json: bool) -> ExitCode:
    store = trust.read_store()
    grants = tuple(it for it in store.grants if scope is None or it.scope == scope.value)
    if as_json:
        write(Grants(grants=grants, problem=store.problem).model_dump_json(indent=2))
        return ExitCode.OK
    write_notes([store.problem] if store.problem else [])
    if grants:
        head = ("FOR", "PATH", "CONTENT", "SINCE")
        rows = [(it.scope, it.path, it.digest or "all below it", it.when) for it in grants]
        write(table([head, *rows], width=line_width(), flexible=1))
    elif store.problem is None:
        write_notes(["no grants are stored; `cmdpack trust PATH` stores one"])
    return ExitCode.OK


def _still_granted(removed: Sequence[Grant]) -> Iterator[str]:
    """What was withdrawn in one place and holds by another, since a grant is for content."""
    gone = {(it.scope, it.digest) for it in removed if it.digest is not None}
    for grant in trust.read_store().grants:
        if (grant.scope, grant.digest) in gone:
            yield f"the same content is still granted for {grant.scope} by {grant.path}"


def _remove(word: str, scope: For | None, *, as_json: bool) -> ExitCode:
    path = Path(word).resolve()

    def matches(grant: Grant) -> bool:
        here = Path(grant.path)
        meant = grant.digest == word or here == path or path in here.parents
        return meant and scope in {None, grant.scope}

    removed, aside = trust.remove(matches)
    write_notes([aside] if aside else [])
    write_notes(_still_granted(removed))
    if not removed:
        raise UsageError(
            "no grant is stored for this path or digest",
            place=word,
            help="`cmdpack trust list` shows all",
        )
    if as_json:
        write(Grants(grants=removed).model_dump_json(indent=2))
    else:
        gone = (f"removed: {it.scope} {one_line(it.path)} {it.digest or ''}" for it in removed)
        write("\n".join(map(str.rstrip, gone)))
    return ExitCode.OK
