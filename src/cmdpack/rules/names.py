"""Names that mean nothing: packages that are not there, names defined nowhere, or too late."""

import ast
import re

from cmdpack.result import Failure
from cmdpack.rules.base import Circumstances, Finding, Spot, finding, spot
from cmdpack.sources import Binding, Definition, bindings, function_at

# The distribution that provides a module, where the two have different names.
_DISTRIBUTIONS = {
    "PIL": "pillow",
    "cv2": "opencv-python",
    "haiku": "dm-haiku",
    "orbax": "orbax-checkpoint",
    "sklearn": "scikit-learn",
    "tensorflow_probability": "tensorflow-probability",
    "yaml": "pyyaml",
}

# What the names mean that nearly all code of this field uses, when a fragment leaves them out.
_CUSTOMARY = {
    "Any": "from typing import Any",
    "Callable": "from collections.abc import Callable",
    "Mesh": "from jax.sharding import Mesh",
    "NamedSharding": "from jax.sharding import NamedSharding",
    "P": "from jax.sharding import PartitionSpec as P",
    "PartitionSpec": "from jax.sharding import PartitionSpec",
    "chex": "import chex",
    "dataclass": "from dataclasses import dataclass",
    "eqx": "import equinox as eqx",
    "flax": "import flax",
    "functools": "import functools",
    "grad": "from jax import grad",
    "hk": "import haiku as hk",
    "jax": "import jax",
    "jit": "from jax import jit",
    "jnp": "import jax.numpy as jnp",
    "jsp": "import jax.scipy as jsp",
    "lax": "from jax import lax",
    "math": "import math",
    "nn": "from flax import linen as nn",
    "nnx": "from flax import nnx",
    "np": "import numpy as np",
    "onp": "import numpy as onp",
    "optax": "import optax",
    "os": "import os",
    "partial": "from functools import partial",
    "pd": "import pandas as pd",
    "plt": "import matplotlib.pyplot as plt",
    "pmap": "from jax import pmap",
    "random": "from jax import random",
    "shard_map": "from jax import shard_map",
    "tfp": "import tensorflow_probability.substrates.jax as tfp",
    "time": "import time",
    "value_and_grad": "from jax import value_and_grad",
    "vmap": "from jax import vmap",
}


def missing_package(failure: Failure, around: Circumstances) -> Finding | None:
    """An import of something that the Python of the run does not have."""
    found = re.match(r"No module named '([\w.]+)'", failure.message)
    if failure.type != "ModuleNotFoundError" or found is None:
        return None
    module = found[1].partition(".")[0]
    if module in around.python.versions:
        return None  # the package is there: a part of it is gone
    distribution = _DISTRIBUTIONS.get(module, module)
    return finding(
        "package-missing",
        f"{around.python.executable} has no package {module}",
        f"{around.python.executable} -m pip install {distribution}",
    )


def fragment(failure: Failure, around: Circumstances) -> Finding | None:
    """A name that nothing has bound when it is read."""
    found = re.match(r"name '(\w+)' is not defined", failure.message)
    where = spot(failure, around) if failure.type == "NameError" and found else None
    if found is None or where is None:
        return None
    name = found[1]
    own = [it for it in bindings(where.everywhere) if it.name == name]
    if own:
        return _too_early(name, own, where)
    cause = f"{name} is defined nowhere in this run: the code is a fragment of something larger"
    if (line := _CUSTOMARY.get(name)) is not None:
        return finding("fragment", cause, f"write `{line}` at the beginning of the example")
    near = re.search(r"Did you mean: '(\w+)'", failure.message)
    if near is not None and near[1] != name:
        cause = f"{name} is defined nowhere in this run"
        return finding("fragment", cause, f"write {near[1]}, if that is meant")
    step = f"define {name} in the example, or mark the fence `python :no-run`"
    return finding("fragment", cause, step)


def _too_early(name: str, own: list[Binding], where: Spot) -> Finding | None:
    """A name that is bound somewhere, but was not when it was read."""
    frame = where.frame
    later = [it for it in own if it.file != frame.file or it.line >= frame.line]
    first = later[0] if later else own[0]
    place = f"{first.file}:{first.line}"
    if not later:
        cause = f"{name} is bound only at {place}, which has not run, or has not come so far"
        return finding(None, cause, f"see to it that {place} runs before line {frame.line}")
    cause = f"{name} is read in line {frame.line}, and gets its value only at {place}"
    return finding(None, cause, "move the definition before its first use")


def slip(failure: Failure, around: Circumstances) -> Finding | None:
    """A name that a module does not have, but one that is much like it."""
    del around
    found = re.match(
        r"(?:module '(?P<module>[\w.]+)' has no attribute '(?P<name>\w+)'|"
        r"cannot import name '(?P<imported>\w+)' from '(?P<package>[\w.]+)').*"
        r"\. Did you mean: '(?P<near>\w+)'\?$",
        failure.message,
        re.DOTALL,
    )
    if failure.type not in {"AttributeError", "ImportError"} or found is None:
        return None
    module = found["module"] or found["package"]
    cause = f"{module} has no {found['name'] or found['imported']}"
    return finding(None, cause, f"write {module}.{found['near']}, if that is meant")


def unbound_local(failure: Failure, around: Circumstances) -> Finding | None:
    """A variable that an assignment further down makes local to its function."""
    found = re.match(r"cannot access (?:local|free) variable '(\w+)'", failure.message)
    unbound = failure.type in {"UnboundLocalError", "NameError"} and found is not None
    where = spot(failure, around) if unbound else None
    if found is None or where is None:
        return None
    name, function = found[1], function_at(where.source, where.frame)
    if function is None:
        return None
    line = _first_assignment(name, function, where)
    outer = any(it.name == name for it in bindings(where.everywhere))
    if line is None or line < where.frame.line or not outer:
        cause = f"{name} of {function.name} is read before it has a value"
        return finding(None, cause, f"give {name} a value on every path to line {where.frame.line}")
    cause = (
        f"line {line} assigns {name} within {function.name}, which makes it another variable than "
        f"the {name} outside, and without a value until then"
    )
    step = f"make {name} a parameter of {function.name}, or give the new value another name"
    return finding(None, cause, step)


def _first_assignment(name: str, function: Definition, where: Spot) -> int | None:
    lines = [
        where.source.line(node)
        for node in ast.walk(function)
        if isinstance(node, ast.Name) and node.id == name and isinstance(node.ctx, ast.Store)
    ]
    return min(lines, default=None)
