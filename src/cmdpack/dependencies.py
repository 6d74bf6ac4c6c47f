"""What a command depends on: other commands, which run first."""

import re
from collections.abc import Iterator
from importlib import metadata

from cmdpack.diagnostics import Diagnostic
from cmdpack.errors import ResolutionError
from cmdpack.graph import CycleError, order
from cmdpack.plan import Command
from cmdpack.registry import Registry
from cmdpack.spec import Name

_SPECIFIER = re.compile(r"[<>=!~;\[@]")
_DISTRIBUTIONS = frozenset(
    {
        "blackjax",
        "chex",
        "diffrax",
        "dm-haiku",
        "equinox",
        "flax",
        "jax",
        "jaxlib",
        "matplotlib",
        "numpy",
        "numpyro",
        "optax",
        "optimistix",
        "orbax-checkpoint",
        "pandas",
        "pillow",
        "pydantic",
        "pytest",
        "requests",
        "scikit-learn",
        "scipy",
        "tensorflow",
        "torch",
        "transformers",
    }
)
"""Distributions that authors list most often, known also where they are not installed."""


def chain(registry: Registry, command: Command) -> tuple[Command, ...]:
    """Return all that `command` depends on, each before those that need it, and itself last.

    Raises ResolutionError, at the item of the frontmatter, where a dependency is unknown or
    leads back.
    """
    known = {_key(command): command}

    def needed(key: tuple[str, str]) -> Iterator[tuple[str, str]]:
        for item in known[key].spec.dependencies:
            found = _resolve(registry, known[key], item)
            yield _key(known.setdefault(_key(found), found))

    try:
        return tuple(known[key] for key in order(_key(command), needed))
    except CycleError as error:
        raise _cycle([known[key] for key in error.cycle]) from None


def check_dependencies(registry: Registry, command: Command) -> tuple[Diagnostic, ...]:
    """Return a diagnostic for each dependency of `command` that is no command: RF001, RF002."""
    return tuple(
        _missing(registry, command, item)
        for item in command.spec.dependencies
        if not registry.knows(item.name, command)
    )


def _key(command: Command) -> tuple[str, str]:
    return command.spec.path, command.spec.name


def _resolve(registry: Registry, command: Command, item: Name) -> Command:
    if not registry.knows(item.name, command):
        missing = _missing(registry, command, item)
        raise ResolutionError(
            f"{missing.message} ({missing.code})", place=missing.place, help=missing.help
        )
    try:
        return registry.dependency(item.name, command)
    except ResolutionError as error:
        raise ResolutionError(
            error.message, place=_place(command, item), help=error.help
        ) from error


def _missing(registry: Registry, command: Command, item: Name) -> Diagnostic:
    if _is_distribution(item.name):
        return Diagnostic(
            code="RF001",
            severity="error",
            message=f"`dependencies` names commands, and {item.name} is a pip distribution",
            path=command.spec.path,
            span=item.span,
            help=f"move it to `requires`: requires: [{item.name}]",
        )
    unknown = registry.unknown(item.name)
    return Diagnostic(
        code="RF002",
        severity="error",
        message=f"a dependency of {command.spec.name}: {unknown.message}",
        path=command.spec.path,
        span=item.span,
        help=unknown.help,
    )


def _is_distribution(name: str) -> bool:
    if _SPECIFIER.search(name) or name.lower() in _DISTRIBUTIONS:
        return True
    try:
        metadata.distribution(name)
    except (metadata.PackageNotFoundError, ValueError):
        return False
    return True


def _cycle(commands: list[Command]) -> ResolutionError:
    closing, first = commands[-2], commands[-1]
    item = next(
        item
        for item in closing.spec.dependencies
        if item.name.rpartition(":")[2] == first.spec.name
    )
    path = " -> ".join(command.spec.name for command in commands)
    return ResolutionError(
        f"the dependencies go in a circle: {path}",
        place=_place(closing, item),
        help=f"remove {first.spec.name} from the dependencies of {closing.spec.name}",
    )


def _place(command: Command, item: Name) -> str:
    return f"{command.spec.path}:{item.span.line}:{item.span.column}"
