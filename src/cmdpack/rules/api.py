"""What JAX has removed, renamed, moved or changed, and what to write instead."""

import ast
import re
from collections.abc import Iterator

from cmdpack.calls import Call, find_call
from cmdpack.result import Failure
from cmdpack.rules.base import (
    Circumstances,
    Finding,
    Saying,
    Spot,
    finding,
    inner_frame,
    match_saying,
    own_frame,
    spot,
)
from cmdpack.rules.changes import ADDED, REMOVED, REMOVED_ARGUMENTS
from cmdpack.sources import imported, unparsed

_LOOK_UP = "look it up in https://docs.jax.dev/en/latest/changelog.html"
_NAMES = {row.name: row for row in REMOVED}
_ARGUMENTS = {(row.function, row.argument): row for row in REMOVED_ARGUMENTS}


def decorator_factory(failure: Failure, around: Circumstances) -> Finding | None:
    """``@pmap(axis_name=...)``: of JAX's transformations only `jit` can be called without one.

    `jax.jit` has this form since 0.8.1 (JAX changelog); all others need `functools.partial`.
    """
    missing = re.match(
        r"\w+(\.__init__)?\(\) missing 1 required positional argument: 'fun'", failure.message
    )
    call = _call(failure, around) if failure.type == "TypeError" and missing else None
    if call is None or not call.of_jax:
        return None
    at = "@" if call.decorates else ""
    arguments = f", {call.arguments}" if call.arguments else ""
    below = "" if call.knows_functools else ", below `import functools`"
    return finding(
        "api",
        f"{call.function} takes the function itself first; it cannot be called with "
        "options alone and used as a decorator",
        f"write {at}functools.partial({call.function}{arguments}){below}",
    )


# Names


def removed_name(failure: Failure, around: Circumstances) -> Finding | None:
    """A name of JAX that is not there: by the table of changes, else said in general."""
    missing = _missing(failure)
    if missing is None:
        return None
    where = spot(failure, around)
    for name in (*_spelled(missing, failure, where), missing):
        if (row := _NAMES.get(name)) is not None:
            cause = _history(row.name, row.removed, row.deprecated, around)
            return finding("api", cause, _use(row.instead, failure, where))
    return _unknown(missing, failure, around)


_MISSING = (
    (r"module '(jax[\w.]*)' has no attribute '(\w+)'", "{0}.{1}"),
    (r"cannot import name '(\w+)' from '(jax[\w.]*)'", "{1}.{0}"),
    (r"No module named '(jax(?:lib)?\.[\w.]+)'", "{0}"),
    (r"'Config' object has no attribute '(\w+)'", "jax.config.{0}"),
    (r"Unrecognized config option: (\w+)", "jax.config.{0}"),
    (r"'jaxlib\.[\w.]*ArrayImpl' object has no attribute '(\w+)'", "jax.Array.{0}"),
    (r"\w+Tracer has no attribute (\w+)", "jax.Array.{0}"),
)
_LOOKING_UP = {"AttributeError", "ImportError", "ModuleNotFoundError"}


def _missing(failure: Failure) -> str | None:
    """The whole name of what JAX does not have."""
    if failure.type in _LOOKING_UP:
        for pattern, name in _MISSING:
            if found := re.match(pattern, failure.message):
                return name.format(*found.groups())
    return None


def _spelled(missing: str, failure: Failure, where: Spot | None) -> Iterator[str]:
    """What the code was after in the end: ``jax.lib.xla_bridge.get_backend``, not its module."""
    if where is None:
        return
    line = where.frame.line - where.source.example.line + 1
    for node in ast.walk(where.source.tree):
        if getattr(node, "lineno", None) != line:
            continue
        if isinstance(node, ast.ImportFrom) and failure.type != "AttributeError":
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Attribute):
            _, dot, rest = unparsed(node).partition(f".{missing.rpartition('.')[2]}.")
            if dot:
                yield f"{missing}.{rest}"


def _unknown(missing: str, failure: Failure, around: Circumstances) -> Finding | None:
    """What is missing, and in no table: too new, or misspelled, or JAX's own for long."""
    jax = around.python.versions.get("jax")
    name = missing.rpartition(".")[2]
    if missing.startswith("jax.Array."):
        step = f"look for jax.numpy.{name}, or ask NumPy: numpy.asarray(x).{name}"
        return finding(None, f"arrays of JAX have no {name}", step)
    if jax is None:
        return None
    newer = (row for row in ADDED if f"{missing}.".startswith(f"{row.name}."))
    since = next((row.since for row in newer if _version(jax) < _version(row.since)), None)
    if since is not None:
        return finding(
            "api",
            f"{missing} is new in JAX {since}; this is JAX {jax}",
            f"{around.python.executable} -m pip install --upgrade jax",
        )
    if near := re.search(r"Did you mean: '(\w+)'", failure.message):
        written = f"{missing.rpartition('.')[0]}.{near[1]}"
        return finding(None, f"JAX {jax} has no {missing}", f"write {written}, if that is meant")
    cause = f"JAX {jax} has no {missing}: misspelled, removed long ago, or newer than this version"
    return finding("api", cause, _LOOK_UP)


def told_by_jax(failure: Failure, around: Circumstances) -> Finding | None:
    """A removal of which JAX's own message tells."""
    found = _TOLD.match(failure.message)
    if found is None or not re.search(r"\b(jax|jnp|arr)\b", found["name"]):
        return None
    name = found["name"].replace("`", "")
    row = _NAMES.get(re.sub(r"^arr\.", "jax.Array.", name))
    gone = re.search(rf"removed in {_VERSION}", failure.message)
    old = re.search(rf"deprecated in {_VERSION}", failure.message)
    cause = _history(
        name,
        gone[1] if gone else row and row.removed,
        old[1] if old else row and row.deprecated,
        around,
    )
    use = _USE.search(failure.message)
    instead = row.instead if row else use and use[1].replace("`", "")
    where = spot(failure, around)
    return finding("api", cause, _use(instead, failure, where) if instead else _LOOK_UP)


_VERSION = r"(?:JAX )?v?(\d{1,4}(?:\.\d{1,4}){1,3})"
_TOLD = re.compile(
    r"(?P<name>(?:The )?[\w`.\s]{1,120}?) (?:was|is|has been|have been) (?:deprecated|removed)\b"
)
_USE = re.compile(r"\buse (\S.*?)(?: instead\b|; |\. |\.?$)", re.IGNORECASE)


def _history(name: str, removed: str | None, deprecated: str | None, around: Circumstances) -> str:
    jax = around.python.versions.get("jax")
    if removed and jax and _version(jax) < _version(removed):
        removed = None  # it is gone all the same
    gone = f"{name} was removed in JAX {removed}" if removed else f"{name} is gone from JAX"
    before = f" (deprecated since {deprecated})" if deprecated else ""
    return f"{gone}{before}{f'; this is JAX {jax}' if jax else ''}"


def _version(text: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d{1,9}", text)[:3]))


def _use(instead: str, failure: Failure, where: Spot | None) -> str:
    """The next step: the replacement, or where a package of others failed, its update."""
    frame = inner_frame(failure)
    if frame is not None and frame.origin == "library":
        package = re.search(r"[\\/](?:site|dist)-packages[\\/](\w+)", frame.file)
        if package is not None:
            return f"update the package {package[1]}, which uses it, or take an older JAX"
    if instead.startswith("nothing"):
        what, _, reason = instead.partition(": ")
        return f"drop it: {reason}" if what == "nothing" else f"{what} replaces it: {reason}"
    for name, meaning in (imported(where.everywhere) if where else {}).items():
        if meaning in {"jax.numpy", "jax.random", "jax.lax"}:
            instead = instead.replace(f"{meaning}.", f"{name}.")
    return f"use {instead}"


# Arguments


def removed_argument(failure: Failure, around: Circumstances) -> Finding | None:
    """A call that a function of JAX does not take any more."""
    call = _call(failure, around) if failure.type == "TypeError" else None
    if call is None:
        return None
    if found := re.match(_UNEXPECTED, failure.message):
        inside = failure.message.startswith("_")  # JAX's own name of a method of arrays
        row = _ARGUMENTS.get((found[1], found[2])) if call.of_jax or inside else None
        if row is not None:
            what = f"the argument {row.argument} of {call.function}"
            cause = _history(what, row.removed, row.deprecated, around)
            return finding("api", cause, _use(row.instead, failure, None))
        problem, step = f"has no argument {found[2]}", f"see help({call.function})"
    elif found := re.match(_BY_POSITION, failure.message):
        problem, step = f"takes {found[1]} by position alone", "leave out the name of the argument"
    elif found := re.match(_TOO_MANY, failure.message):
        problem = f"takes at most {found[1]} by position, and got {found[2]}"
        step = "name the others: argument=value"
    else:
        return None
    jax = around.python.versions.get("jax")
    return finding("api", f"{call.function} of JAX {jax} {problem}", step) if call.of_jax else None


_UNEXPECTED = r"_?(\w+)(?:\.__init__)?\(\) got an unexpected keyword argument '(\w+)'"
_BY_POSITION = (
    r"\w+\(\) got some positional-only arguments passed as keyword arguments: '([\w, ]+)'"
)
_TOO_MANY = r"\w+\(\) takes (?:from \d+ to )?(\d+) positional arguments? but (\d+) (?:was|were)"


def _call(failure: Failure, around: Circumstances) -> Call | None:
    frame = own_frame(failure)
    return None if frame is None else find_call(around.commands, frame)


# Behaviour


def changed(failure: Failure, around: Circumstances) -> Finding | None:
    """What JAX once took, or gave, and now refuses, or gives otherwise."""
    del around
    frame = own_frame(failure)
    if failure.type == "KeyError" and frame is not None and "cost_analysis()[" in frame.source:
        return finding(
            "api",
            "cost_analysis() gives a dictionary since JAX 0.4.38, no list of one",
            "leave out [0]",
        )
    found = match_saying("api", _CHANGED, failure)
    return found and finding("api", found.advice.cause, _lower(found.advice.next_step))


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]


_CHANGED = (
    Saying(
        r"^'(?:[\w.]+\.)?Device' object is not callable$",
        "the method device() of arrays was removed in JAX 0.4.27 (deprecated since 0.4.21)",
        "write x.device, which is no method, or x.devices()",
    ),
    Saying(
        r"^(?P<what>Invalid shapes for solve: .*?)\. Prior to JAX v(?P<version>[\d.]+\d),.*"
        r"use (?P<use>solve\(.*\))\.",
        "{what}: since JAX {version} this is no batch of vectors any more",
        "write {use}",
    ),
    Saying(
        r"kwargs\['interpolation'\]",
        "the argument interpolation was removed in JAX 0.8.0",
        "write method= instead",
    ),
    Saying(
        r"^(?P<what>.{1,80}) (?:is|are) no(?:t| longer) supported(?: starting in JAX v?"
        r"(?P<version>[\d.]+\d))?[.;]? (?P<rest>(?:[Uu]se|instead of) .+?)\.?$",
        "{what} is no longer supported by JAX",
        "{rest}",
    ),
    Saying(
        r"^Passing (?P<what>.{1,80}) is no longer supported",
        "passing {what} is no longer supported by JAX",
        "see the signature in JAX's documentation",
    ),
    Saying(
        r"^_IndexUpdateRef\.(?P<what>\w+)\(\) takes \d+ positional",
        "the options of x.at[i].{what}() are named since JAX 0.4.14",
        "write the name of the argument: x.at[i].{what}(name=value)",
    ),
    Saying(
        r"^unknown dialect: mhlo$",
        "JAX has no dialect mhlo any more",
        "ask for compiler_ir('stablehlo')",
    ),
    Saying(
        r"^None is not a valid value for jnp\.array",
        "jnp.array takes no None since JAX 0.6.0; before, it became NaN",
        "write jnp.nan",
    ),
    Saying(
        r"^(?P<what>jit)\(\) got some positional-only",
        "{what} takes the function by position alone since JAX 0.7.0",
        "write {what}(f, ...)",
    ),
)
