"""What a command depends on: other commands, which run first."""

import re
from collections.abc import Iterator
from importlib import metadata

from cmdpack.diagnostics import Diagnostic
from cmdpack.errors import ResolutionError
from cmdpack.graph import CycleError, order
from cmdpack.plan import Chain, Command, identities
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


def chain(registry: Registry, command: Command) -> Chain:
    """Return all that `command` depends on, each before those that need it, and itself last.

    Raises ResolutionError, at the item of the frontmatter, where a dependency is unknown or
    leads back.
    """
    known = {command.spec.path: command}
    items: dict[tuple[str, str], Name] = {}  # where one path says that it needs another

    def needed(path: str) -> Iterator[str]:
        for item in known[path].spec.dependencies:
            found = _resolve(registry, known[path], item)
            items.setdefault((path, found.spec.path), item)
            known.setdefault(found.spec.path, found)
            yield found.spec.path

    try:
        paths = order(command.spec.path, needed)
    except CycleError as error:
        closing, first = error.cycle[-2:]
        raise _cycle([known[path] for path in error.cycle], items[closing, first]) from None
    return Chain(
        commands=tuple(known[path] for path in paths),
        needed_by={
            path: tuple(other for other in paths if (other, path) in items) for path in paths
        },
    )


def check_dependencies(registry: Registry, command: Command) -> tuple[Diagnostic, ...]:
    """Return a diagnostic for each dependency of `command` that is no command: RF001, RF002."""
    return tuple(
        _missing(registry, command, item)
        for item in command.spec.dependencies
        if not registry.knows(item.name, command)
    )


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


def _cycle(commands: list[Command], item: Name) -> ResolutionError:
    closing, ids = commands[-2], identities(commands[:-1])
    path = " -> ".join(ids[command.spec.path] for command in commands)
    return ResolutionError(
        f"the dependencies go in a circle: {path}",
        place=_place(closing, item),
        help=f"remove {item.name} from the dependencies of {ids[closing.spec.path]}",
    )


def _place(command: Command, item: Name) -> str:
    return f"{command.spec.path}:{item.span.line}:{item.span.column}"
