"""An exception as data: type, message, and the frames of its traceback."""

import itertools
import linecache
import os
import re
import sys
from collections.abc import Collection, Iterable, Iterator, Sequence
from types import CodeType, ModuleType, TracebackType
from typing import Any

_HERE = os.path.dirname(__file__)
_MESSAGE_LIMIT = 8000  # characters; some messages hold whole programs
_NAME_LIMIT = 1000  # characters; the longest paths have a few more
_LONGEST_NAME = 100  # characters; names beyond are no slips of the pen
_FRAMES = 40  # of a deep recursion, so many of its outer and of its inner frames
_FILTER_NOTE = "JAX has removed its internal frames"


_getline = linecache.getline  # looked up now: user code may replace it


class SpawnError(RuntimeError):
    """An example tried to start a Python process that would import the Markdown file."""


def describe(error: BaseException, documents: Collection[str]) -> dict[str, Any]:
    """The facts of `error`; `documents` are the files that examples come from."""
    frames = _frames(error.__traceback__, documents)
    message = _message(error)[:_MESSAGE_LIMIT]
    near = _near(error)
    return {
        "type": _name(type(error)),
        "message": f"{message}. Did you mean: {near!r}?" if near else message,
        "frames": frames,
    }


def outcome_of(error: BaseException) -> tuple[str, str | None]:
    """The outcome of a unit that ended with `error`, and the kind of failure."""
    if isinstance(error, MemoryError) or "RESOURCE_EXHAUSTED" in _message(error)[:200]:
        return "out-of-memory", None
    kinds: dict[type[BaseException], str] = {
        ModuleNotFoundError: "package-missing",
        AssertionError: "assertion",
        KeyboardInterrupt: "interrupt",
        SystemExit: "exit",
        SpawnError: "spawn",
        SyntaxError: "not-python",
    }
    return "failed", next((kinds[t] for t in type(error).__mro__ if t in kinds), "other")


def is_named(error: BaseException, name: str) -> bool:
    """Whether `error` is of exactly the type `name`, with or without its module."""
    return name in {type(error).__name__, _name(type(error))}


def summary(error: BaseException) -> str:
    """Type and first line of the message, for one line."""
    said = _message(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {said[:200]}"


def _name(kind: type) -> str:
    module = str(kind.__module__)  # a class may have set it to anything
    bare = module in {"builtins", "__main__"}
    return clip(kind.__qualname__ if bare else f"{module}.{kind.__name__}")


def clip(name: str) -> str:
    """Cut a name that code chose, and that may be of any length."""
    return name if len(name) <= _NAME_LIMIT else f"{name[:_NAME_LIMIT]}..."


def _message(error: BaseException) -> str:
    try:
        text = str(error)
        notes = [str(note) for note in getattr(error, "__notes__", ())]
    except BaseException as problem:
        return f"<str() of the exception raised {type(problem).__name__}>"
    return "\n".join([text, *(note for note in notes if _FILTER_NOTE not in note)])


def _near(error: BaseException) -> str | None:
    """The name that was probably meant by one that is not there; as Python shows it, untold."""
    try:
        wanted, known = _names(error)
        if wanted is None or len(wanted) > _LONGEST_NAME:
            return None
        import difflib  # noqa: PLC0415 - only a failure needs it

        public = [name for name in known if isinstance(name, str) and not name.startswith("_")]
        return next(iter(difflib.get_close_matches(wanted, public, 1, 0.65)), None)
    except BaseException:  # the example may have broken anything
        return None


def _names(error: BaseException) -> tuple[str | None, Iterable[Any]]:
    """What was looked up in vain, and what there is; nothing of the example's own is run."""
    if isinstance(error, AttributeError):
        module = getattr(error, "obj", None)
        return error.name, vars(module) if type(module) is ModuleType else ()
    if isinstance(error, ImportError) and not isinstance(error, ModuleNotFoundError):
        imported = re.match(r"cannot import name '(\w+)'", str(error))
        module = sys.modules.get(error.name or "")
        return imported and imported[1], vars(module) if type(module) is ModuleType else ()
    if type(error) is NameError:
        *_, level = _levels(error.__traceback__)
        frame = level.tb_frame
        return error.name, [*frame.f_locals, *frame.f_globals, *frame.f_builtins]
    return None, ()


def _frames(trace: TracebackType | None, documents: Collection[str]) -> list[dict[str, Any]]:
    levels = [level for level in _levels(trace) if not _ours(_file(level))]
    if len(levels) > 2 * _FRAMES:
        levels = levels[:_FRAMES] + levels[-_FRAMES:]
    return [_frame(level, documents) for level in levels]


def _levels(trace: TracebackType | None) -> Iterator[TracebackType]:
    while trace is not None:
        yield trace
        trace = trace.tb_next


def _frame(level: TracebackType, documents: Collection[str]) -> dict[str, Any]:
    code = level.tb_frame.f_code
    line = level.tb_lineno or 0  # instructions that the compiler adds may have none
    end_line, start, end = _position(code, level.tb_lasti)
    source = _getline(code.co_filename, line)
    end_source = _getline(code.co_filename, end_line or line)
    return {
        "file": clip(code.co_filename),
        "line": line,
        "column": column(source, start),
        "end_line": end_line,
        "end_column": column(end_source, end),
        "function": clip(code.co_name),
        "source": source.rstrip()[:500],
        "origin": _origin(code.co_filename, documents),
    }


def _position(code: CodeType, instruction: int) -> Sequence[int | None]:
    """The end line and the columns of an instruction, where they are known."""
    unknown = (None, None, None, None)
    if instruction < 0:  # of a generator that has not begun
        return unknown[1:]
    return next(itertools.islice(code.co_positions(), instruction // 2, None), unknown)[1:]


def column(source: str, utf8: int | None) -> int | None:
    """A column from 1 in characters; Python keeps it from 0 in UTF-8 bytes."""
    return None if utf8 is None else len(source.encode()[:utf8].decode(errors="replace")) + 1


def _file(level: TracebackType) -> str:
    return level.tb_frame.f_code.co_filename


def _origin(filename: str, documents: Collection[str]) -> str:
    if filename in documents:
        return "example"
    folders = [os.path.dirname(path) for path in _files(("jax", "jaxlib"))]
    return "jax" if any(filename.startswith(folder + os.sep) for folder in folders) else "library"


def _files(names: Iterable[str]) -> list[str]:
    found = (getattr(sys.modules.get(name), "__file__", None) for name in names)
    return [file for file in found if file]


def without_ours(trace: TracebackType | None) -> TracebackType | None:
    """`trace` from the first frame on that is not one of ours."""
    return next((level for level in _levels(trace) if not _ours(_file(level))), None)


def _ours(filename: str) -> bool:
    return os.path.dirname(filename) == _HERE
