"""The rules together: none ever raises, and what none of them knows stays as it was."""

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmdpack.advice import RULES, Circumstances, advise
from cmdpack.plan import PackOrigin, PlannedCommand, PlannedExample, PythonFacts
from cmdpack.result import Failure, Frame

FILE = "/pack/one.md"
PYTHON = PythonFacts(
    executable="/env/bin/python",
    version="3.12.1",
    implementation="cpython",
    chosen_because="--python",
    versions={"jax": "0.10.2", "jaxlib": "0.10.2"},
)
CODE = """import jax, jax.numpy as jnp
def f(x, y=lambda: 0):
    if x and jnp.ones(3)[x]:
        x[0] = 1
    return jax.vmap(f)(x, y)
assert f(1) == 2
"""


def planned(code: str) -> PlannedCommand:
    example = PlannedExample(
        id="e1", code=code, line=1, prefixes=(0,) * len(code.split("\n")), units=()
    )
    return PlannedCommand(
        id="one",
        name="one",
        path=FILE,
        file=FILE,
        pack=PackOrigin(name="pack", path="/pack", trust="user", source="pack"),
        digest="",
        role="target",
        reason="asked for",
        sections=(),
        examples=(example,),
    )


SAID = [
    "module 'jax' has no attribute 'tree_map'",
    "cannot import name 'x' from 'jax.core' (unknown location)",
    "No module named 'jax.config'",
    "jax.core.x was deprecated in JAX v0.8.2 and removed in JAX v99999999999.0; use y{0} instead.",
    "name 'np' is not defined. Did you mean: 'f'?",
    "cannot access local variable 'x' where it is not associated with a value",
    (
        "Attempted boolean conversion of traced array with shape bool[].\nThe error occurred while "
        "tracing the function f at one.md:2 for jit. This concrete value was not available in "
        "Python because it depends on the value of the argument x."
    ),
    "The __index__() method was called on traced array with shape int32[]",
    "Leaked trace X",
    "Number of devices 99999999999 must be >= the product of mesh_shape (99999999999999,)",
    "cannot reshape array of size 1 into shape (4,2)",
    "cannot select an axis to squeeze out which has size not equal to one, got shape=(8, 1000)",
    "dimension 0 should be divisible by 8, but it is equal to 9",
    "vmap got inconsistent sizes for array axes to be mapped: {x}",
    "add got incompatible shapes for broadcasting: {0}, {}.",
    "f() takes 1 positional argument but 2 were given",
    "_clip() got an unexpected keyword argument 'a_min'",
    "JAX arrays are immutable and do not support in-place item assignment.",
    "invalid value (nan) encountered in log",
    "Jitted function has invalid argnames {'n'} in static_argnames.",
    "",
]
TYPES = [
    "TypeError",
    "ValueError",
    "NameError",
    "UnboundLocalError",
    "AttributeError",
    "ImportError",
    "ModuleNotFoundError",
    "AssertionError",
    "IndexError",
    "KeyError",
    "FloatingPointError",
    "MemoryError",
    "jax.errors.TracerBoolConversionError",
    "jax.errors.ConcretizationTypeError",
    "jax.errors.TracerIntegerConversionError",
    "jax.errors.UnexpectedTracerError",
    "jax.errors.KeyReuseError",
]
frames = st.builds(
    Frame,
    file=st.sampled_from([FILE, "/env/jax/_src/pmap.py", "/x/site-packages/flax/a.py", ""]),
    line=st.integers(-1, 9),
    column=st.none() | st.integers(-1, 40),
    end_line=st.none() | st.integers(-1, 9),
    end_column=st.none() | st.integers(-1, 40),
    function=st.sampled_from(["f", "<module>", "<lambda>"]),
    source=st.sampled_from(["", *CODE.splitlines()]),
    origin=st.sampled_from(["example", "jax", "library"]),
)


@given(
    type_=st.sampled_from(TYPES),
    message=st.sampled_from(SAID) | st.text() | st.from_regex(r"(\w| |\(|\)|'|,|\d|\{|\}){0,80}"),
    trace=st.lists(frames, max_size=4),
    code=st.sampled_from([CODE, "", "not python", "x = 1"]),
)
def test_no_rule_ever_raises(type_: str, message: str, trace: list[Frame], code: str) -> None:
    failure = Failure(type=type_, message=message, frames=tuple(trace))
    kind, advice = advise("other", failure, Circumstances(PYTHON, None, (planned(code),)))
    assert kind
    if advice is not None:
        assert advice.cause
        assert advice.next_step
        assert "\n" not in advice.cause + advice.next_step


@pytest.mark.parametrize("type_", TYPES)
@pytest.mark.parametrize("message", SAID)
def test_every_saying_with_every_type_of_error(type_: str, message: str) -> None:
    line = next(number for number, text in enumerate(CODE.splitlines(), 1) if "vmap" in text)
    frame = Frame(file=FILE, line=line, function="f", source=CODE.splitlines()[4], origin="example")
    failure = Failure(type=type_, message=message, frames=(frame,))
    for rule in RULES:
        rule(failure, Circumstances(PYTHON, None, (planned(CODE),)))


def test_other_failures_keep_their_kind() -> None:
    failure = Failure(type="ValueError", message="no")
    assert advise("assertion", failure, Circumstances(PYTHON, None)) == ("assertion", None)


def test_code_that_is_nested_deeply_is_no_trouble() -> None:
    code = f"x = 1\nassert {' + '.join(['x'] * 900)} == 2"
    with pytest.raises(RecursionError):
        ast.unparse(ast.parse(code))
    frame = Frame(file=FILE, line=2, function="<module>", source="assert", origin="example")
    failure = Failure(type="AssertionError", message="", frames=(frame,))
    kind, advice = advise("assertion", failure, Circumstances(PYTHON, None, (planned(code),)))
    assert (kind, advice is not None) == ("assertion", True)
    assert advice is None or len(advice.cause + advice.next_step) < 900
