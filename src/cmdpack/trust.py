"""The consent that a user stored with ``cmdpack trust``: to run code unprotected, or to export it.

A grant is bound to exact content, by digest, or to a folder of one's own work, by its real path. It
comes from a command line that was typed and from nowhere else. A store that cannot be believed
holds no grants. The clock is written down and never compared.
"""

import codecs
import contextlib
import hashlib
import json
import stat
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal, NamedTuple

from pydantic import ValidationError

from cmdpack import __version__, contents, folders, state
from cmdpack.contents import Part, Text
from cmdpack.errors import InputError
from cmdpack.nouns import Noun
from cmdpack.packs import Pack
from cmdpack.plan import Command
from cmdpack.state import UnsafeError

Scope = Literal["run", "export"]
"""What a grant allows: running outside the sandbox, or handing over to an assistant."""

FILE = "trust.json"
_FORMAT: Final = 1
_NEWER = "a newer cmdpack wrote the file"
_LOCK = "trust.lock"
_TEXTS = "approved"
_BOM = codecs.BOM_UTF8  # which is no part of a text, and part of its digest
_LIMIT = 16 * 1024 * 1024  # bytes; some hundred for each grant


class Grant(Noun):
    """One consent. `path` is where the content lay when it was approved, or the folder.

    With a `digest` it is bound to this content, wherever it lies; `parts` are the files of it.
    Without, it is bound to the folder, and to all below it.
    """

    scope: Scope
    path: str
    digest: str | None = None
    parts: tuple[Part, ...] = ()
    when: str
    version: str

    def __str__(self) -> str:
        if self.digest is None:
            return f"all below {self.path} is your own work, by `cmdpack trust --mine`"
        return f"its content {self.digest} was approved with `cmdpack trust`"


class _File(Noun):
    """The file of the store."""

    version: Literal[1]
    grants: tuple[Grant, ...]


class Store(NamedTuple):
    """The grants that count, and why there are none where the store cannot be believed."""

    grants: tuple[Grant, ...] = ()
    problem: str | None = None


def read_store() -> Store:
    """Read the grants. A store that cannot be believed holds none; this raises nothing."""
    try:
        return _read(state.folder())
    except InputError as error:
        return Store(problem=f"no grant counts: {error.message}")


def _read(place: Path) -> Store:
    path = place / FILE
    try:
        content = state.read(path, _LIMIT)
        return Store() if content is None else Store(_grants(content))
    except UnsafeError as error:
        return Store(problem=f"no grant counts, as {path} cannot be believed: {error}")


def _grants(content: bytes) -> tuple[Grant, ...]:
    if _version(content) > _FORMAT:
        raise UnsafeError(_NEWER)
    try:
        return _File.model_validate_json(content, strict=True).grants
    except ValidationError as error:
        raise UnsafeError("the file is not what cmdpack writes") from error


def _version(content: bytes) -> int:
    with contextlib.suppress(ValueError, RecursionError):
        document = json.loads(content)
        version = document.get("version") if isinstance(document, dict) else None
        return version if isinstance(version, int) else 0
    return 0


def consent(commands: Sequence[Command]) -> tuple[Grant | None, str | None]:
    """The grant by which these commands may run outside the sandbox, and what is to be noted.

    Only code that is neither built in nor installed needs one: all of it must be covered, by one
    grant for exactly this run's content or by folders of the user's own work.
    """
    strangers = [it for it in commands if it.pack.trust == "user"]
    if not strangers:
        return None, None
    store = read_store()
    exact = _by_content(store, "run", contents.of_run(commands))
    return exact or _by_folder(store, "run", strangers), store.problem


def consent_to_export(pack: Pack, commands: Sequence[Command]) -> tuple[Grant | None, str | None]:
    """The grant by which a pack of a stranger's may be handed to an assistant.

    `commands` are all of the pack. The second is what is to be said of the store.
    """
    store = read_store()
    texts = contents.of_export(pack, commands)
    own = _by_folder(store, "export", commands)
    if own is not None and not folders.holds_pack(Path(own.path), pack):
        own = None
    return _by_content(store, "export", texts) or own, store.problem


def _by_content(store: Store, scope: Scope, texts: Sequence[Text]) -> Grant | None:
    digest = contents.content_digest(texts)
    return next((it for it in store.grants if it.scope == scope and it.digest == digest), None)


def _by_folder(store: Store, scope: Scope, commands: Sequence[Command]) -> Grant | None:
    granted = [it for it in store.grants if it.scope == scope and it.digest is None]
    found = None
    for command in commands:
        found = next((it for it in granted if folders.holds(Path(it.path), command.spec)), None)
        if found is None:
            return None
    return found


def previous(scope: Scope, path: Path) -> Grant | None:
    """The grant for the content that lay at `path` when it was last approved."""
    return next((it for it in read_store().grants if _replaces(it, scope, str(path))), None)


def approved_text(part: Part) -> str | None:
    """The text of a part of a grant, if it is still kept and still the same."""
    try:
        content = state.read(state.folder() / _TEXTS / part.digest, _LIMIT)
    except (UnsafeError, InputError):
        return None
    if content is None or part.digest not in {_sha256(content), _sha256(_BOM + content)}:
        return None
    return content.decode(errors="replace")


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def approve(scope: Scope, path: Path, texts: Sequence[Text]) -> tuple[Grant, str | None]:
    """Store consent to exactly these texts, instead of what was approved at `path` before.

    Returns the grant, and what became of a store that could not be believed. Raises `InputError`;
    then nothing has changed.
    """
    grant = Grant(
        scope=scope,
        path=str(path),
        digest=contents.content_digest(texts),
        parts=tuple(it.part for it in texts),
        when=_now(),
        version=__version__,
    )
    return grant, _change(lambda grants: _with(grant, grants), texts)


def approve_folder(scope: Scope, path: Path) -> tuple[Grant, str | None]:
    """Store consent to all that lies below the folder `path`, now and later.

    Raises `UsageError` for a folder that cannot be taken for the user's own work, and what
    `approve` raises.
    """
    path = folders.own(path)
    grant = Grant(scope=scope, path=str(path), when=_now(), version=__version__)
    return grant, _change(lambda grants: _with(grant, grants), ())


def remove(matches: Callable[[Grant], bool]) -> tuple[tuple[Grant, ...], str | None]:
    """Withdraw all grants that match. Returns them, and raises, as `approve`."""
    removed = tuple(filter(matches, read_store().grants))
    if not removed:
        return (), read_store().problem
    return removed, _change(lambda grants: tuple(it for it in grants if not matches(it)), ())


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _with(grant: Grant, grants: Sequence[Grant]) -> tuple[Grant, ...]:
    others = (it for it in grants if not _same(it, grant))
    return (*others, grant)


def _same(one: Grant, other: Grant) -> bool:
    if other.digest is None:
        return one.digest is None and (one.scope, one.path) == (other.scope, other.path)
    return one.digest is not None and _replaces(one, other.scope, other.path)


def _replaces(grant: Grant, scope: Scope, path: str) -> bool:
    """Whether `grant` is what was approved of the content at `path`: the last approval counts."""
    return grant.digest is not None and (grant.scope, grant.path) == (scope, path)


def _change(
    change: Callable[[Sequence[Grant]], tuple[Grant, ...]], texts: Sequence[Text]
) -> str | None:
    """Read, change and write the store under its lock. Returns what became of an odd one."""
    place = state.folder()
    with _readable_errors(place):
        state.make(place)
        with state.locked(place / _LOCK):
            before = _read(place)
            aside = _put_aside(place, before.problem)
            place.chmod(stat.S_IRWXU)  # only now: until here it was judged as it was found
            state.sweep(place)
            _keep(place / _TEXTS, texts)
            grants = change(before.grants)
            file = _File(version=_FORMAT, grants=grants)
            state.write(place / FILE, f"{file.model_dump_json(indent=2)}\n".encode())
            _forget(place / _TEXTS, grants)
    return aside


def _put_aside(place: Path, problem: str | None) -> str | None:
    """Move a store that cannot be believed out of the way, and return what is to be said."""
    if problem is None:
        return None
    if problem.endswith(_NEWER):
        raise InputError(problem, help="use the newer cmdpack, or move the file away")
    bad = place / f"{FILE}.bad"
    try:
        (place / FILE).replace(bad)
    except FileNotFoundError:  # only its folder was at fault, and is mended now
        return None
    return f"{problem}. It is kept as {bad}, and a new one begun"


def _keep(place: Path, texts: Sequence[Text]) -> None:
    """Keep what is approved, so that a later version can be compared with it."""
    state.make(place)
    place.chmod(stat.S_IRWXU)
    state.sweep(place)
    for text in texts:
        state.write(place / text.part.digest, text.text.encode())


def _forget(place: Path, grants: Sequence[Grant]) -> None:
    wanted = {part.digest for grant in grants for part in grant.parts}
    for path in place.iterdir():
        if path.name not in wanted:
            path.unlink()


@contextlib.contextmanager
def _readable_errors(place: Path) -> Iterator[None]:
    """Say what the system refused, and where, instead of a traceback."""
    try:
        yield
    except OSError as error:
        raise InputError(
            f"the grant cannot be stored: {error.strerror or error}",
            place=str(error.filename or place),
            help="nothing has changed; check the permissions and the free space",
        ) from error
