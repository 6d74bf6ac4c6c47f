"""Values that cannot be used as they are, and calls that cannot be made."""

import ast
import re

from cmdpack.result import Failure
from cmdpack.rules.base import (
    Circumstances,
    Finding,
    Saying,
    Spot,
    finding,
    match_saying,
    own_frame,
    spot,
    tidy,
)
from cmdpack.sources import Definition, Source, unparsed


def assertion(failure: Failure, around: Circumstances) -> Finding | None:
    """An ``assert`` of the example's own."""
    where = spot(failure, around) if failure.type == "AssertionError" else None
    if where is None or failure.frames[-1] != where.frame:
        return None
    for node in ast.walk(where.source.tree):
        if isinstance(node, ast.Assert) and where.source.line(node) == where.frame.line:
            step = "look at what it compares"
            if isinstance(node.test, ast.Compare) and len(node.test.comparators) == 1:
                sides = (node.test.left, node.test.comparators[0])
                shown = [
                    tidy(where.source.text(it)) for it in sides if not isinstance(it, ast.Constant)
                ]
                step = f"print {' and '.join(shown) or 'the values'} before line {where.frame.line}"
            return finding("assertion", f"{tidy(where.source.text(node.test))} is false", step)
    return None


def not_a_number(failure: Failure, around: Circumstances) -> Finding | None:
    """``jax_debug_nans`` and ``jax_debug_infs``: the first value that is none."""
    found = re.match(r"invalid value \((\w+)\) encountered in (\S+)", failure.message)
    if failure.type != "FloatingPointError" or found is None:
        return None
    where = spot(failure, around)
    text = (where and where.text()) or "the computation here"
    kind = "a NaN" if found[1] == "nan" else "an infinity"
    return finding(
        "nan",
        f"{text} gives {kind}, in the operation {found[2]}",
        "look at its inputs; guard them with jax.numpy.where before the operation, not after it",
    )


def key_reuse(failure: Failure, around: Circumstances) -> Finding | None:
    """A random key that is used twice."""
    if failure.type != "jax.errors.KeyReuseError":
        return match_saying("key", _KEYS, failure)
    where = spot(failure, around)
    text = (where and where.text()) or "this call"
    return finding(
        "key",
        f"{text} uses a random key that has been used before, and would give numbers that are "
        "not independent",
        "split the key first, key, subkey = jax.random.split(key), and use each subkey once",
    )


_KEYS = (
    Saying(
        r"^(?P<what>\w+) accepts a single key, .* array of shape (?P<shape>\(.*?\))",
        "jax.random.{what} takes one key, and got {shape} of them",
        "map over the keys: jax.vmap(jax.random.{what})(keys)",
    ),
    Saying(
        r"^JAX encountered invalid PRNG key data: .*Got (?P<what>.+?)\.?$",
        "functions of jax.random take a key first, and this one got {what}",
        "make a key: jax.random.key(0)",
    ),
    Saying(
        r"^JAX array with PRNGKey dtype cannot be converted",
        "a random key is no array of numbers",
        "ask for its bits: jax.random.key_data(key)",
    ),
)


def said(failure: Failure, around: Circumstances) -> Finding | None:
    """What Python or JAX say plainly, and what a reader may still not know."""
    del around
    return match_saying(None, _SAID, failure) if failure.frames else None


_SAID = (
    Saying(
        r"^Non-hashable static arguments are not supported.* object of type <class "
        r"'(?P<type>[\w.]+)'>",
        "a static argument is part of the key of the compile cache, and a {type} cannot be one",
        "pass a number or a tuple, or let the argument be traced: leave it out of static_argnums",
    ),
    Saying(
        r"^Jitted function has (?P<what>static_argn\w+=.*?), but only accepts (?P<count>\d+) pos",
        "{what} counts from 0, and the function has {count} arguments",
        "correct the number, or use static_argnames",
    ),
    Saying(
        r"^Jitted function has invalid argnames \{{?(?P<names>.+?)\}}? in (?P<what>\w+)",
        "{what} has {names}, and the function has no such argument",
        "name an argument of the function",
    ),
    Saying(
        r"^Array has been deleted with shape=(?P<what>\w+\[[\d,]*\])",
        "the array {what} was donated to a function (donate_argnums), which took its memory, or "
        "deleted",
        "use what the function returned, or do not donate the argument",
    ),
    Saying(
        r"^maximum recursion depth exceeded",
        "a function calls itself, or others that call it, without coming to an end",
        "look at the condition that ends the recursion; in jitted code use jax.lax.while_loop",
    ),
    Saying(
        r"^Recursively calling .*'function' at \w+ \((?P<what>[\w<>]+)\)",
        "{what} calls itself while JAX traces it, which would never end",
        "write the recursion as jax.lax.while_loop or jax.lax.scan",
    ),
    Saying(
        r"RESOURCE_EXHAUSTED: .*?Out of memory (?:allocating|while trying to allocate) "
        r"(?P<size>\d+) bytes",
        "the device has not so much memory: {size} bytes were asked for at once",
        "take smaller arrays or batches, lower precision, or jax.checkpoint around what is stored",
    ),
    Saying(
        r"^Profile has already been started",
        "the run itself is being recorded, and JAX records one profile at a time",
        "run without --trace",
    ),
    Saying(
        r"^INTERNAL: CpuCallback error calling callback:.*\n(?P<what>[\w.]+(?:: [^\n]*)?)\s*$",
        "a function that JAX called back into Python failed: {what}",
        "call it on its own, with NumPy arrays, to see where",
    ),
    Saying(
        r"^'NoneType' object is not callable$",
        "what is called here is None",
        "look at what made it: a function without `return` gives None",
    ),
)


def immutable(failure: Failure, around: Circumstances) -> Finding | None:
    """``x[0] = 1`` on an array of JAX."""
    if not failure.message.startswith("JAX arrays are immutable"):
        return None
    where = spot(failure, around)
    statement = where and _assignment(where)
    return finding(
        None,
        "arrays of JAX cannot be changed in place",
        f"write {statement}" if statement else "write x = x.at[i].set(y)",
    )


_IN_PLACE = {ast.Add: "add", ast.Mult: "multiply", ast.Div: "divide", ast.Pow: "power"}


def _assignment(where: Spot) -> str | None:
    """The assignment at the frame, as one to a new array."""
    for node in ast.walk(where.source.tree):
        match node:
            case ast.Assign(targets=[ast.Subscript() as target], value=value):
                method = "set"
            case ast.AugAssign(target=ast.Subscript() as target, op=op, value=value):
                method = _IN_PLACE.get(type(op), "")
            case _:
                continue
        if where.source.line(target) == where.frame.line and method:
            array, index = where.source.text(target.value), unparsed(target.slice)
            return f"{array} = {array}.at[{index}].{method}({tidy(where.source.text(value))})"
    return None


def wrong_call(failure: Failure, around: Circumstances) -> Finding | None:
    """A call of one of the example's own functions that does not fit its definition."""
    found = re.match(
        r"(?:[\w.<>]+\.)?(\w+)\(\) (takes .*? positional arguments? but .*? given|"
        r"missing .*? required \S+ arguments?: .+|got an unexpected keyword argument '\w+'|"
        r"got multiple values for argument '\w+')",
        failure.message,
    )
    where = spot(failure, around) if failure.type == "TypeError" and found else None
    if found is None or where is None:
        return None
    defined = [it for source in where.everywhere for it in _defined(found[1], source)]
    if len(defined) != 1:
        return None
    source, function = defined[0]
    place = f"{source.command.path}:{source.line(function)}"
    signature = f"{function.name}({tidy(unparsed(function.args))})"
    return finding(
        None,
        f"{signature}, defined at {place}, {found[2]}",
        f"call it with the arguments of {signature}",
    )


def _defined(name: str, source: Source) -> list[tuple[Source, Definition]]:
    return [
        (source, node)
        for node in ast.walk(source.tree)
        if isinstance(node, Definition) and node.name == name
    ]


def memory(failure: Failure, around: Circumstances) -> Finding | None:
    """Python itself has no memory left."""
    del around
    if failure.type != "MemoryError" or own_frame(failure) is None:
        return None
    cause = "Python was refused the memory that it asked for"
    return finding(None, cause, "take smaller data, or go through it in parts")
