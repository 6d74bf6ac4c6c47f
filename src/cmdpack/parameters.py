"""Options that replace literals: the examples marked `:parameters` hold the defaults.

In such an example, ``epochs = 100`` makes an option `epochs` of its command replace the 100. The
replacement is a literal, set into the syntax tree; text is never pasted into code.
"""

import ast
import contextlib
import warnings
from collections.abc import Callable, Iterator
from typing import NamedTuple

from cmdpack.errors import UsageError
from cmdpack.plan import Arguments
from cmdpack.spec import CommandSpec, Example, Option

DIRECTIVE = "parameters"

_BOOLEANS = {"true": True, "false": False, "yes": True, "no": False, "1": True, "0": False}


class Parameter(NamedTuple):
    """A top-level assignment of a literal to one name, in an example marked `:parameters`."""

    name: str
    default: object
    example: str
    line: int


def parameters(spec: CommandSpec) -> dict[str, Parameter]:
    """The parameters of `spec`, by the option that each answers to: ``batch_size`` to batch-size.

    Only those that a declared option can replace; of two of one name, the last, which decides what
    the code sees in the end.
    """
    declared = {option.name for option in spec.options}
    found = (it for example in spec.examples for it in _of_example(example))
    return {_option(it.name): it for it in found if _option(it.name) in declared}


def replacements(spec: CommandSpec, arguments: Arguments) -> dict[str, dict[str, str]]:
    """For each example, by id, the names whose literals are replaced, each with the new literal.

    The new literals are Python's text of them. Raises `UsageError` for a value that is not of the
    type of the default, naming that type: an int where a float stands is taken as a float, and
    any literal may replace None.
    """
    found = parameters(spec)
    new: dict[str, dict[str, str]] = {}
    for option in spec.options:
        if option.name in found and arguments.gives(option.name):
            parameter = found[option.name]
            value = _converted(spec, option, parameter, arguments.values[option.name])
            new.setdefault(parameter.example, {})[parameter.name] = repr(value)
    return new


def _option(name: str) -> str:
    return name.replace("_", "-")


def _of_example(example: Example) -> Iterator[Parameter]:
    if not example.runnable or DIRECTIVE not in example.directives:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # odd escapes are for `check` to say, not for us
        try:
            tree = ast.parse(example.code)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                pass
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                pass
            case _:
                continue
        with contextlib.suppress(ValueError, TypeError, RecursionError, MemoryError):
            default = ast.literal_eval(value)
            yield Parameter(name, default, example.id, example.line + node.lineno - 1)


def _converted(
    spec: CommandSpec, option: Option, parameter: Parameter, value: str | bool | None
) -> object:
    kind = type(parameter.default)
    try:
        new = True if value is True and kind is bool else _CONVERSIONS[kind](str(value))
        return ast.literal_eval(repr(new))  # an infinity, say, has no literal
    except (KeyError, ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        shown = f"--{option.name}" if value is True else f"--{option.name}={value}"
        raise UsageError(
            f"{shown} does not fit {parameter.name} = {parameter.default!r} at "
            f"{spec.path}:{parameter.line}: it must be {_NAMES.get(kind, kind.__name__)}",
            help=f"for example --{option.name}={parameter.default}",
        ) from None


def _container(kind: type) -> Callable[[str], object]:
    def convert(text: str) -> object:
        value = ast.literal_eval(text)
        if type(value) is not kind:
            raise ValueError(text)
        return value

    return convert


def _any(text: str) -> object:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


_CONTAINERS: tuple[type, ...] = (tuple, list, dict, set, bytes)
_CONVERSIONS: dict[type, Callable[[str], object]] = {
    bool: lambda text: _BOOLEANS[text.lower()],
    int: int,
    float: float,
    complex: complex,
    str: str,
    type(None): _any,
    **{kind: _container(kind) for kind in _CONTAINERS},
}
_NAMES: dict[type, str] = {
    bool: "true or false",
    int: "an int",
    float: "a float",
    complex: "a complex number",
    str: "a str",
    **{kind: f"a {kind.__name__}" for kind in _CONTAINERS},
}
