"""What a Python says of itself, and the units it finds in the examples, before anything runs.

Reads a request as JSON from standard input and answers with one line on standard output. None of
the code that it parses is executed, and JAX is looked for without being imported.
"""

import importlib.util
import json
import os
import platform
import re
import sys
from collections.abc import Iterator
from typing import Any

from . import units

_DISTRIBUTION = re.compile(r"(jax|jaxlib|numpy)-([^-]+)\.dist-info")

_LINKS = 16  # more are a circle


def main(arguments: list[str]) -> None:
    """Answer ``{"examples": [{"id", "file", "code", "line", "prefixes", "requires"}], "names"}``.

    What units do with names is told where `names` asks for it: a selection needs it.
    """
    del arguments
    request = json.load(sys.stdin)
    answer = {
        "executable": sys.executable,
        "version": platform.python_version(),
        "implementation": sys.implementation.name,
        "versions": _versions(),
        "has_jax": all(importlib.util.find_spec(name) for name in ("jax", "jaxlib")),
        "accelerators": sorted(_accelerators()),
        "folders": [*_folders()],
        "path": [*_path()],
        "examples": {
            example["id"]: _analysis(example, names=request["names"])
            for example in request["examples"]
        },
    }
    print(json.dumps(answer))


def _versions() -> dict[str, str]:
    """Versions by distribution, read off folder names: `importlib.metadata` costs 40 ms more."""
    versions: dict[str, str] = {}
    for folder in sys.path:
        for name in _listing(folder):
            if match := _DISTRIBUTION.fullmatch(name):
                versions.setdefault(match[1], match[2])
    return versions


def _accelerators() -> set[str]:
    """Platforms beyond the CPU for which a JAX plugin is installed."""
    found = set()
    for folder in sys.path:
        for name in _listing(os.path.join(folder, "jax_plugins")):
            kinds = [kind for kind in ("cuda", "rocm") if kind in name]
            if kinds or not name.startswith(("_", ".")):
                found.add(kinds[0] if kinds else name)
    if importlib.util.find_spec("libtpu") is not None:
        found.add("tpu")
    return found


def _folders() -> Iterator[str]:
    """All that this Python is made of: its prefixes, what it imports from, the way to its program.

    A link on that way may lie anywhere.
    """
    yield from (sys.base_prefix, sys.base_exec_prefix, sys.prefix, sys.exec_prefix, *_path())
    program = sys.executable
    for _ in range(_LINKS):
        yield program
        if not os.path.islink(program):
            return
        program = os.path.normpath(os.path.join(os.path.dirname(program), os.readlink(program)))


def _path() -> Iterator[str]:
    """What this Python imports from by itself; `PYTHONPATH` is the user's surroundings."""
    added = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    for folder in sys.path:
        if os.path.isabs(folder) and os.path.exists(folder) and folder not in added:
            yield folder


def _listing(folder: str) -> list[str]:
    try:
        return os.listdir(folder or ".")
    except OSError:
        return []


def _analysis(example: dict[str, Any], *, names: bool) -> dict[str, Any]:
    place = units.Place(example["line"], example["prefixes"])
    try:
        tree, found = units.parse(example["code"], example["file"], place)
    except SyntaxError as error:
        return {"error": {"message": error.msg, "line": error.lineno, "column": error.offset}}
    except ValueError as error:
        return {"error": {"message": str(error), "line": example["line"], "column": 1}}
    future = units.defers_annotations(found)
    return {
        "units": [
            units.describe(unit, future=future) if names else units.span_of(unit) for unit in found
        ],
        "imports": sorted(units.imports(tree)),
        "missing": [name for name in example["requires"] if not _installed(name)],
    }


def _installed(name: str) -> bool:
    """Whether a package can be imported under `name`, or is a distribution of that name."""
    module = name.replace("-", "_")
    if not name or (module.isidentifier() and importlib.util.find_spec(module)):
        return True
    from importlib import metadata  # noqa: PLC0415 - costs 20 ms, and is needed here alone

    try:
        return bool(metadata.distribution(name))
    except metadata.PackageNotFoundError:
        return False
