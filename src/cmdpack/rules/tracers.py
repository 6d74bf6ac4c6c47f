"""Python that needs a value where JAX, while it traces, has only its shape and its type."""

import ast
import re

from cmdpack.result import Failure
from cmdpack.rules.base import Circumstances, Finding, Saying, Spot, finding, match_saying, spot
from cmdpack.sources import holders, nodes_at


def truth(failure: Failure, around: Circumstances) -> Finding | None:
    """``if``, ``while``, ``and`` on a traced value."""
    if failure.type != "jax.errors.TracerBoolConversionError":
        return None
    where = spot(failure, around)
    what, use = _asking(where) if where else ("bool()", _SELECT)
    value = (where and where.text()) or "a traced value"
    if what == "`if`" and (condition := re.fullmatch(r".+ if (.+) else .+", value)):
        value = condition[1]
    cause = f"{what} asks whether {value} is true, which is not known"
    return finding("tracer", f"{cause}{_within(failure)}", _or_static(use, failure))


_SELECT = "write jax.numpy.where(condition, a, b) or jax.lax.cond(condition, f, g, x)"
_LOGIC = "write `&`, `|`, `~`, or jax.numpy.logical_and and its neighbours"


def _asking(where: Spot) -> tuple[str, str]:
    """What asks for the truth of the value at which the caret points, and what to use instead."""
    for node in nodes_at(where.source, where.frame):
        inner: ast.AST = node
        for it in (node, *holders(where.source, node)):
            if (name := _asks(it, inner)) is not None:
                return name, _INSTEAD.get(name, _SELECT)
            if isinstance(it, ast.stmt):
                break
            inner = it
    return "bool()", _SELECT


def _asks(node: ast.AST, inner: ast.AST) -> str | None:
    """How `node` is called where it asks whether `inner`, a part of it or itself, is true."""
    match node:
        case ast.BoolOp(op=op):
            return "`and`" if isinstance(op, ast.And) else "`or`"
        case ast.UnaryOp(op=ast.Not()):
            return "`not`"
        case ast.IfExp() if inner is node or inner is node.test:
            return "`if`"
        case ast.If() | ast.While() | ast.Assert() if inner is node.test:
            return f"`{type(node).__name__.lower()}`"
        case _:
            return None


_INSTEAD = {
    **dict.fromkeys(("`and`", "`or`", "`not`"), _LOGIC),
    "`while`": "write jax.lax.while_loop(condition, body, start)",
    "`assert`": "check it outside of the function, or with checkify",
}


def conversion(failure: Failure, around: Circumstances) -> Finding | None:
    """``float(x)``, ``range(n)``, ``numpy.sin(x)``, a shape or a size from a traced value."""
    if failure.type not in _CONVERSIONS and "It arose in" not in failure.message:
        told = match_saying("tracer", _TOLD, failure)
        return told and finding(
            "tracer",
            told.advice.cause + _within(failure),
            _or_static(told.advice.next_step, failure),
        )
    where = spot(failure, around)
    text = (where and where.text()) or "this expression"
    for pattern, said, instead, setting in _WAYS:
        if found := re.search(pattern, failure.message):
            groups = {"text": text, **found.groupdict()}
            cause = said.format(**groups) + _within(failure)
            step = _numpy(instead, text).format(**groups)
            return finding("tracer", cause, _or_static(step, failure) if setting else step)
    cause = f"{text} needs a value that is not known{_within(failure)}"
    return finding("tracer", cause, _or_static("move it out of the function", failure))


def _numpy(step: str, text: str) -> str:
    """Name the function of NumPy that was called."""
    called = re.match(r"(?:np|onp|numpy)\.([\w.]+)\(", text)
    return step.replace("jax.numpy", f"jax.numpy.{called[1]}") if called else step


_CONVERSIONS = {
    "jax.errors.ConcretizationTypeError",
    "jax.errors.TracerIntegerConversionError",
    "jax.errors.TracerArrayConversionError",
}
# The message, the cause, the next step, and whether the value may be a mere setting.
_WAYS = (
    (
        r"__array__\(\)",
        "{text} asks NumPy to compute with a traced value, which has no numbers yet",
        "use jax.numpy instead of NumPy",
        False,
    ),
    (
        r"__index__\(\)",
        "{text} needs a Python integer, and gets a traced value",
        "use jax.lax.fori_loop in place of range, and jax.numpy.array(...)[i] to index",
        True,
    ),
    (
        r"The problem arose with the `(?P<type>\w+)` function",
        "{text} needs the number itself, which is not known",
        "keep it an array, with x.astype({type}), and convert what the function returns",
        True,
    ),
    (
        r"in the (?P<method>item|tolist)\(\) method",
        "{text} needs the number itself, which is not known",
        "keep it an array, and call .{method}() on what the function returns",
        True,
    ),
    (
        r"The size argument of jnp\.(?P<function>\w+)",
        "how long the result of {text} is depends on values that are not known",
        "give it a length: size=N, or use the form with three arguments of jax.numpy.where",
        False,
    ),
    (
        r"jnp\.(?P<function>\w+)\(\)\. To make",
        "how long the result of {text} is depends on values that are not known",
        "give it a length: jax.numpy.{function}(x, size=N)",
        False,
    ),
    (
        r"It arose in the (?P<what>[\w.]+) argument",
        "{text} makes a shape of a traced value, and shapes must be known",
        "make it a Python number",
        True,
    ),
)
_TOLD = (
    Saying(
        r"^Shapes must be 1D sequences of concrete values",
        "a shape is made of a traced value, and shapes must be known",
        "make it a Python number",
    ),
    Saying(
        r"^Slice entries must be static integers",
        "a slice with a traced bound has no length that is known",
        "write jax.lax.dynamic_slice_in_dim(x, start, length)",
    ),
    Saying(
        r"^Array boolean indices must be concrete",
        "how many elements the mask picks depends on values that are not known",
        "write jax.numpy.where(mask, x, 0), which keeps the shape",
    ),
    Saying(
        r"^unhashable type: '\w*Tracer'",
        "a traced value cannot be a key of a dictionary or a member of a set",
        "index an array by it, or use jax.lax.switch",
    ),
    Saying(
        r"Tracer\.__format__",
        "a traced value has no number that could be formatted",
        "write jax.debug.print('{{:.2f}}', x), which prints when the function runs",
    ),
)


def leak(failure: Failure, around: Circumstances) -> Finding | None:
    """A traced value that outlives its function."""
    del around
    if failure.type != "jax.errors.UnexpectedTracerError" and not failure.message.startswith(
        "Leaked trace"
    ):
        return None
    told = re.search(
        r"(?:when the value leaked was|tracing the function) (\S+) at", failure.message
    )
    function = told[1] if told else "a function that JAX traced"
    born = re.search(r"was created on line \S*?:(\d+)", failure.message)
    line = f", made in line {born[1]}," if born else ""
    return finding(
        "tracer",
        f"a value of {function}{line} was kept beyond its call, in a global, a list or an "
        "attribute, where it has no meaning",
        f"return it from {function} instead, and keep what the call gives",
    )


def _within(failure: Failure) -> str:
    """When it failed: which function was traced, by which transformation."""
    found = re.search(r"while tracing the function (\S+) at .+? for (\w+)\.", failure.message)
    return f" while JAX traces{f' {found[1]} for {found[2]}' if found else ''}"


def _or_static(step: str, failure: Failure) -> str:
    """`step`, or, where the value is an argument of a jitted function, to make it static."""
    found = re.search(r"depends on the values? of the arguments? (.+?)\.\s", f"{failure.message} ")
    if found is None or " for jit." not in failure.message:
        return step
    roots = dict.fromkeys(re.findall(r"([A-Za-z_]\w*)[^,\s]*", found[1].replace(" and ", ", ")))
    if len(roots) > 2:  # too many to be a setting
        return step
    names = repr(next(iter(roots))) if len(roots) == 1 else repr(tuple(roots))
    static = f"make {' and '.join(roots)} static: jax.jit(..., static_argnames={names})"
    return f"{step}; or, if it is a setting, {static}"
