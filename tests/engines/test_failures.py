"""Failures that teach, in real runs: kinds, causes, next steps, and the frames that matter."""

from collections.abc import Callable
from typing import Any

import pytest

from cmdpack.report import failures

Run = Callable[..., Any]

SNIPPETS = [
    ("y = jax.tree_map(abs, [1])", "api", "jax.tree_map was removed in JAX 0.6.0"),
    ("from jax.config import config", "api", "jax.config.config was removed in JAX 0.4.25"),
    ("import no_such_package", "package-missing", "has no package no_such_package"),
    ("print(plt.figure())", "fragment", "plt is defined nowhere in this run"),
    ("jax.jit(lambda x: 1 if x else 2)(1.0)", "tracer", "`if` asks whether x is true"),
    ("ones((2, 3)) @ ones((2, 3))", "shape", "must be equal, and are 3 and 2"),
    ("jax.grad(lambda x: x)(3)", "dtype", "the argument is of type int32"),
    ("jax.random.normal(0)", "key", "this one got 0"),
    ("jax.make_mesh((64,), ('x',))", "device-count", "a mesh of (64,) takes 64 devices"),
    ("assert ones(2).sum() == 3", "assertion", "ones(2).sum() == 3 is false"),
    ("jax.lax.psum(1.0, 'i')", "other", "names an axis i"),
    ("jax.device_put(ones(9), rows)", "device-count", "9 entries, which 8 devices cannot share"),
    ("jax.pmap(lambda x: x)(ones(9))", "device-count", "9 entries, which 8 devices"),
    ("jax.pmap(lambda x: x)(ones(16))", "device-count", "each would get 2"),
    ("ones((1 << 20, 1 << 22))", None, "bytes were asked for at once"),
]
HEAD = """
import jax
from jax.numpy import ones
rows = jax.NamedSharding(jax.make_mesh((8,), ("x",)), jax.P("x"))
"""


def test_each_failure_has_its_kind_its_cause_and_its_next_step(run_code: Run) -> None:
    pytest.importorskip("jax")
    code = HEAD + "\n".join(snippet for snippet, _, _ in SNIPPETS)
    ran = run_code(code, keep_going=True, emulate=8, timeout=60.0)
    failed = ran.result.units[3:]
    assert ran.outcomes[:3] == ["ok"] * 3
    for unit, (snippet, kind, cause) in zip(failed, SNIPPETS, strict=True):
        assert unit.outcome in {"failed", "out-of-memory"}, snippet
        assert unit.kind == (kind or unit.kind), snippet
        assert unit.error is not None
        assert unit.error.advice is not None, snippet
        assert cause in unit.error.advice.cause
        assert unit.error.advice.next_step
        shown = [*failures.lines(unit)]
        assert shown[0].endswith("" if unit.kind in {None, "other"} else f"({unit.kind})")
        number = max(n for n, text in enumerate(shown) if text.endswith(snippet))
        line, caret = shown[number : number + 2]
        assert caret.strip("|^ ") == ""
        assert line[caret.index("^") :].startswith(snippet[unit.error.column - unit.column :])
        assert shown[-1].startswith("  next:  ")


DEEP = """
import jax
import jax.numpy as jnp

def layer(w, x):
    return jnp.tanh(
        x @ w
    )

def model(params, x):
    for w in params:
        x = layer(w, x)
    return x

def loss(params, x, y):
    return jnp.mean((model(params, x) - y) ** 2)

@jax.jit
def step(params, x, y):
    return jax.vmap(jax.grad(loss), in_axes=(None, 0, 0))(params, x, y)

params = [jnp.ones((3, 4)), jnp.ones((5, 2))]
result = step(
    params, jnp.ones((8, 3)), jnp.ones((8, 2))
)
"""


def test_forty_frames_become_the_two_that_matter(
    run_code: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("jax")
    monkeypatch.setenv("JAX_TRACEBACK_FILTERING", "off")
    unit = run_code(DEEP, timeout=60.0).last
    assert unit.error is not None
    assert len(unit.error.frames) >= 40
    shown = [*failures.lines(unit)]
    assert shown[:6] == [
        f"failed: TypeError at {unit.file}:9:9 (shape)",
        "  25 | result = step(",
        "     |          ^^^^^",
        "  ... 3 more frames, all with -v",
        "  9 |         x @ w",
        "    |         ^^^^^",
    ]
    assert not any("site-packages" in line for line in shown)
    whole = [*failures.lines(unit, all_frames=True)]
    places = [line for line in whole if " in " in line or " | " in line]
    assert len(places) >= len(unit.error.frames)
    assert sum("site-packages" in line for line in whole) >= 35


def test_a_key_that_an_assignment_makes_local(run_code: Run) -> None:
    """The seed's own failure: `key, subkey = random.split(key)` within a function."""
    unit = run_code(
        "key = [1, 2]\n\ndef demonstrate():\n    key, subkey = sorted(key)\n    return subkey\n",
        "demonstrate()",
    ).last
    assert (unit.line, unit.error.line) == (14, 7)
    assert unit.error.advice.cause == (
        "line 7 assigns key within demonstrate, which makes it another variable than the key "
        "outside, and without a value until then"
    )
    assert unit.error.advice.next_step.startswith("make key a parameter of demonstrate")
