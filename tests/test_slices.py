"""Slices: what the selected units print, bind and change is as when everything runs."""

# ruff: noqa: E501, ISC004 - programs stand as they are read

import ast
import contextlib
import io
import os
import random
import re
import sys
import types
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st

from cmdpack.child import units
from cmdpack.codefacts import UnitFacts
from cmdpack.parse import parse_command
from cmdpack.slices import Slice, slice_of

PLAIN = (int, float, str, bool, bytes, type(None), complex, range)


def facts(code: str) -> list[UnitFacts]:
    _, found = units.parse(code, "f.md", units.Place(1, ()))
    future = units.defers_annotations(found)
    return [UnitFacts.model_validate(units.describe(unit, future=future)) for unit in found]


def lines(code: str, *selected: int) -> list[int]:
    """The lines taken for the units that start in the selected lines."""
    found = facts(code)
    chosen = [n for n, unit in enumerate(found) if unit.line in selected]
    return [found[n].line for n in slice_of(found, chosen).taken]


class Endless(BaseException):
    """A generated program does not end."""


def fuel(events: int) -> Callable[..., Any]:
    left = [events]

    def trace(*_: object) -> Any:
        left[0] -= 1
        if left[0] < 0:
            raise Endless
        return trace

    return trace


class World:
    """A fresh namespace in which units run one by one, as the runner does it."""

    def __init__(self, code: str, *, traced: bool) -> None:
        self.traced = traced
        self.tree, self.units = units.parse(code, "f.md", units.Place(1, ()))
        self.module = types.ModuleType("__main__")
        self.names = self.module.__dict__
        self.flags = 0

    def run(self, index: int) -> "Did":
        """Run one unit. Returns what it printed, how it ended, and what it has bound."""
        node = self.units[index].node
        compiled = compile(ast.Module([node], []), "f.md", "exec", self.flags, dont_inherit=True)
        self.flags |= compiled.co_flags & 0x1000000
        bound = [*facts_of(self.units[index])]
        output, ended = io.StringIO(), "ok"
        old = {name: self.names.get(name, self) for name in bound}
        with contextlib.redirect_stdout(output):
            before = sys.gettrace()
            try:
                if self.traced:
                    sys.settrace(fuel(3000))
                exec(compiled, self.names)
            except Exception as error:  # noqa: BLE001 - whatever a program raises
                sys.settrace(before)
                ended = type(error).__name__
                for name in bound:
                    self.names.pop(name, None)
            finally:
                sys.settrace(before)
        new = {name: self.names[name] for name in bound if name in self.names}
        changed = {name for name, value in new.items() if value is not old[name]}
        printed = re.sub(r"0x[0-9a-f]+", "0x", output.getvalue())
        return Did(printed, ended, {name: shown(value) for name, value in new.items()}, changed)


class Did(NamedTuple):
    """What a unit has printed, how it ended, what it has left in the names that it may bind."""

    printed: str
    ended: str
    values: dict[str, object]
    changed: set[str]

    def same_as(self, other: "Did") -> bool:
        names = self.changed | other.changed
        mine = {name: self.values.get(name) for name in names}
        return (self.printed, self.ended, mine) == (
            other.printed,
            other.ended,
            {name: other.values.get(name) for name in names},
        )


def facts_of(unit: units.Unit) -> list[str]:
    found: list[str] = units.describe(unit)["binds"]
    return found


def shown(value: object, depth: int = 0) -> object:  # noqa: PLR0911 - one for each kind of value
    """A value by its structure: functions and modules by their kind alone."""
    if isinstance(value, PLAIN):
        return value
    if depth > 5 or callable(value) or isinstance(value, types.ModuleType):
        return type(value).__name__
    if isinstance(value, (list, tuple)):
        return type(value).__name__, [shown(it, depth + 1) for it in value]
    if isinstance(value, dict):
        return [(shown(k, depth + 1), shown(v, depth + 1)) for k, v in value.items()]
    if isinstance(value, set):
        return "set", sorted(map(repr, value))
    if hasattr(value, "dtype") and hasattr(value, "tolist"):
        return str(value.dtype), value.tolist()
    if hasattr(value, "__dict__"):
        return type(value).__name__, shown(vars(value), depth + 1)
    return type(value).__name__


def compare(
    code: str, selected: Iterable[int], prepare: Callable[[], None], *, traced: bool = True
) -> Slice:
    """Assert that the selected units do the same in their slice as when everything runs."""
    chosen = [*selected]
    found = slice_of(facts(code), chosen)
    prepare()
    whole = World(code, traced=traced)
    try:
        all_results = [whole.run(index) for index in range(max(chosen) + 1)]
    except Endless:
        return found
    prepare()
    part = World(code, traced=traced)
    results = {index: part.run(index) for index in found.taken}
    for index in chosen:
        assert results[index].same_as(all_results[index]), f"unit {index} of:\n{code}\n{found}"
    return found


NAMES = ["a", "b", "c", "d"]
FUNCTIONS = ["f", "g", "h"]
SETUP = """\
import os
import random
from functools import partial
a = [1]
b = {'k': [2]}
c = 3
d = (4, [5])
def f(x): return x
def g(x): return [x, c]
h = f
it = iter([1, 2, 3, 4, 5, 6])
class C:
    def __init__(self, x): self.x = x
    def put(self, y):
        self.x.append(y)
        return [self.x, c]
class M:
    def __enter__(self): return a
    def __exit__(self, *z): return True
def deco(fn): return lambda *z: [fn(*z), b]
"""


SCENARIOS = [  # of several units each, that need one another in a way that chance would seldom find
    "def {f}(x):\n    return [x, {n}]\n{g} = partial({f}, 1)\n{n} = {v}\nprint({g}())",
    "{m} = partial(print, {n})\n{n} = {v}\n{m}()",
    "{m} = [1]\n{g} = partial(g, {m})\n{m}.append({n})\nprint({g}())",
    "{m} = [1]\n{f} = partial(list.append, {m})\n{f}({n})\nprint({m})",
    "k = C([1])\nl = k\nk.put({n})\nprint(l.x)",
    "k = C([1])\n{m} = [k]\n{m}[0].put({n})\nprint(k.x)",
    "k = C([1])\n{f} = k.put\n{f}({n})\nprint(k.x)",
    "class P:\n    def __len__(self):\n        {n}.append(1)\n        return 1\nprint(len(P()), {n})",
    "class Q:\n    n = 0\n    def __len__(self):\n        self.n += 1\n        return self.n\n"
    "q = Q()\nr = len(q)\nprint(len(q))",
    "class Q:\n    n = 0\n    @property\n    def y(self):\n        self.n += 1\n        return self.n\n"
    "q = Q()\nr = q.y\nprint(q.y)",
    "def make():\n    n = 0\n    def inc():\n        nonlocal n\n        n += 1\n    return inc, lambda: n\n"
    "inc, get = make()\ninc()\nprint(get())",
    "{m} = [[1]]\n{o} = {m}[0]\n{o}.append({n})\nprint({m})",
    "{m} = {{'k': [1]}}\n{m}['k'].append({n})\nprint({m}['k'])",
    "class R:\n    {n} = {m}\n    z = [{n}]\nprint(R.z)",
    "{m} = map(lambda x: [x, {n}], [1, 2, 3])\n{n} = {v}\nprint(next({m}))\nprint(next({m}))",
    "def {f}(x, y=[]):\n    y.append(x)\n    return y\n{f}({n})\nprint({f}(1))",
    "{f}.calls = []\n{g} = {f}\n{g}.calls.append({n})\nprint({f}.calls)",
    "u = list(zip(it, [1, 2]))\nprint(next(it, None))",
    "{m} = (x for x in [{n}, 1, 2])\nu = 1 in {m}\nprint(list({m}))",
]


def statements() -> st.SearchStrategy[str]:
    name, fn = st.sampled_from(NAMES), st.sampled_from(FUNCTIONS)
    value = st.sampled_from(
        ["1", "[7]", "{'k': [8]}", "(a, b)", "c", "[a]", "d", "b", "a", "(c, 1)"]
    )
    forms = [
        "{n} = {v}",
        "{n} = {m}",
        "{n} = [{m}, {o}]",
        "{n}, {m} = {o}, {v}",
        "{n} = {f}({m})",
        "{f} = lambda x: ({n}, x)",
        "{f} = lambda x, y={n}: [x, y]",
        "{f} = {g}",
        "{f} = partial({g}, {n})",
        "{n} = {{'k': {m}, 'f': {f}}}",
        "{n}.append({m})",
        "{n}[0] = {v}",
        "{n}['k'] = {m}",
        "{n}['k'].append({v})",
        "{n} += [{v}]",
        "{n} += 1",
        "del {n}",
        "del {n}[0]",
        "print({n})",
        "print({f}({n}))",
        "print(len({n}), {m})",
        "def {f}(x):\n    x.append({n})\n    return x",
        "def {f}(x):\n    global {n}\n    {n} = x\n    return {m}",
        "def {f}(x):\n    return [{n}, {g}(x)]",
        "def {f}(x):\n    {n}.append(x)\n    return {n}",
        "def {f}(x):\n    y = x\n    y[0] = {n}\n    return y",
        "def {f}(x):\n    def inner(z):\n        return [z, {n}, x]\n    return inner",
        "def {f}(x):\n    count = [0]\n    def inner(z):\n        count[0] += 1\n        return count[0]\n    return inner",
        "def {f}(x):\n    n = 0\n    def inner(*z):\n        nonlocal n\n        n += 1\n        return n\n    return inner",
        "def {f}(x):\n    yield {n}\n    yield x",
        "{n} = {f}({m})({o})",
        "{n} = [{f}, {g}]",
        "{f} = {n}[0]",
        "{f} = {f}({n})",
        "def {f}(x=[]):\n    x.append({n}) if isinstance(x, list) else None\n    return x\n{n} = {f}()",
        "{n} = [y for y in {m}]",
        "{n} = [(c := y) for y in {m}]",
        "print([{f}(y) for y in {m}])",
        "{n} = (y for y in [{m}, {o}])",
        "{n} = list({m})",
        "print(next(it))",
        "{n} = next(it)",
        "for y in {n}:\n    {m} = y",
        "for y in it:\n    {m} = y\n    break",
        "for y in {n}:\n    y.append({m})",
        "{n} = map({f}, {m})",
        "{n} = zip(it, {m})",
        "if {n}:\n    {m} = {v}",
        "if not {n}:\n    {m} = {v}\nelse:\n    {o} = {m}",
        "try:\n    {n} = {m}[0]\nexcept Exception as e:\n    {o} = type(e).__name__",
        "try:\n    {n}.append({m})\nfinally:\n    {o} = {v}",
        "while {n} and isinstance({n}, list) and len({n}) < 4:\n    {n}.append({v})",
        "class C:\n    k = {n}\n    def __init__(self, x):\n        self.x = x\n    def put(self, y):\n        self.x.append(y)\n        return {m}",
        "class C:\n    x = {n}\n    n = 0\n    def __init__(self, x):\n        C.n += 1\n    def put(self, y):\n        self.n += 1\n        return [self.n, C.n, {m}]",
        "class C:\n    def __init__(self, x): self.x = x\n    def __len__(self):\n        self.x.append(1)\n        return len(self.x)\n    @property\n    def y(self):\n        return {n}\n    def put(self, y): return self.y",
        "{n} = C({m})",
        "print({n}.put({m}))",
        "{n}.x = {m}",
        "{n} = {m}.x",
        "{f} = {n}.put",
        "print({n}.x)",
        "{n} = ({m} := {v})",
        "print(({n} := {m}))",
        "def deco(fn):\n    {n}.append(1)\n    return lambda *z: (fn(*z), {m})",
        "@deco\ndef {f}(x):\n    return {n}",
        "class M:\n    def __enter__(self):\n        {n}.append(1)\n        return {m}\n    def __exit__(self, *z):\n        return True",
        "with M() as {n}:\n    {m} = {n}[0]\n    {n}.append({v})",
        "os.environ['CMDPACK_SLICE'] = str({n})",
        "print(os.environ.get('CMDPACK_SLICE'))",
        "random.seed({c})",
        "print(random.random())",
        "{n} = random.randint(0, 9)",
        "random.shuffle({n})",
        "{n} = sorted({m}, key={f})",
        "setattr({n}, 'x', {m})",
        "print(getattr({n}, 'x', {m}))",
        "match {n}:\n    case [{m}, *{o}]: pass\n    case {{'k': {m}}}: pass\n    case _: {m} = 0",
        "{f}.attribute = {n}",
        "print(getattr({f}, 'attribute', None))",
        "assert {n}",
        "{n}: int = {m}",
        "print = {f}",
        "def len(x): return {n}",
        "{n}, *{m} = {o}",
        "(lambda: {n}.append({v}))()",
        "[{m}.append(y) for y in {n}]",
        "{n} = b if c else {m}",
        "{n} = {m} or {o}",
        "print(f'{{{n}}} {{{f}({m})}}')",
        "{n} = dict(x={m}, f={f})",
        "{n} = {m}['f']({o})",
        "{n} = type({m})",
        "{n} = {m}.copy()",
        "{n} = tuple({m})",
        "{n} = {m}[:]",
        "{n} = reversed({m})",
        "{n} = enumerate({m})",
        "{n}.extend([*{m}][:5])",
        "{n}.sort(key={f})",
        "{n} = {m}.pop()",
        "from functools import partial as p",
        "{n} = {m} + {o}",
        "{n} = {m} * 2",
        *SCENARIOS,
    ]
    return st.builds(
        lambda form, n, m, o, v, f, g, c: form.format(n=n, m=m, o=o, v=v, f=f, g=g, c=c),
        st.sampled_from(forms),
        name,
        name,
        name,
        value,
        fn,
        fn,
        st.integers(0, 5),
    )


def prepare() -> None:
    os.environ.pop("CMDPACK_SLICE", None)
    random.seed(0)
    sys.setrecursionlimit(1000)


@given(data=st.data(), body=st.lists(statements(), min_size=2, max_size=14))
@settings(deadline=None, max_examples=100, suppress_health_check=[HealthCheck.too_slow])
def test_a_slice_does_what_the_whole_does(data: st.DataObject, body: list[str]) -> None:
    code = SETUP + "\n".join(body)
    try:
        count = len(facts(code))
    except SyntaxError:
        reject()
    first = len(facts(SETUP))
    selected = data.draw(st.sets(st.integers(first, count - 1), min_size=1, max_size=2))
    compare(code, selected, prepare)


PROGRAMS = Path(__file__).parent / "data" / "programs" / "jax_programs.txt"
WHOLE_PREFIX = {"exec needs the prefix", "star import needs the prefix", "globals need the prefix"}


def programs() -> dict[str, str]:
    """The programs by name; a section begins with a line ``# %%``."""
    parts = re.split(r"^=== (.+)\n", PROGRAMS.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def sections(code: str) -> list[list[int]]:
    """The indices of the units of each section."""
    starts = [n for n, line in enumerate(code.splitlines(), 1) if line == "# %%"]
    found: list[list[int]] = [[] for _ in starts]
    for index, unit in enumerate(facts(code)):
        found[sum(start < unit.line for start in starts) - 1].append(index)
    return found


def prepare_jax() -> None:
    import jax  # noqa: PLC0415 - only in a process of its own
    import numpy as np  # noqa: PLC0415

    prepare()
    np.random.seed(0)  # noqa: NPY002 - it is what programs use
    jax.config.update("jax_numpy_rank_promotion", "allow")
    jax.clear_caches()


@pytest.mark.own_process
@pytest.mark.parametrize("name", [*programs()])
def test_sections_of_jax_programs(name: str) -> None:
    code = programs()[name]
    fallen_back = False
    for section in sections(code):
        found = compare(code, section, prepare_jax, traced=False)
        fallen_back |= found.prefix is not None
    assert fallen_back == (name in WHOLE_PREFIX)


def test_there_are_enough_programs_and_slices_are_small() -> None:
    taken = before = 0
    for code in programs().values():
        for section in sections(code):
            found = slice_of(facts(code), section)
            taken += len(found.taken) - len(section)
            before += max(section) + 1 - len(section)
    assert len(programs()) >= 40
    assert taken / before < 0.8, f"{taken} of {before} units before the selections were taken"


@pytest.mark.parametrize(
    ("code", "selected", "taken"),
    [
        ("a = 1\na = 2\nprint(a)", 3, [2, 3]),
        ("a = 1\nif b:\n    a = 2\nprint(a)", 4, [1, 2, 4]),
        ("a = [1]\nprint(a)\nb = a\nb.append(2)\nprint(a)", 5, [1, 3, 4, 5]),
        ("def f(): return n\nn = 1\nn = 2\nprint(f())", 4, [1, 3, 4]),
        ("def f(a=1):\n    return a\nn = 1\nx = f()", 4, [1, 4]),
        ("import jax.numpy as jnp\nx = [1]\njnp.sum(x)\nprint(x)", 4, [2, 4]),
        (
            "class K:\n    def sum(self, x): x.append(1)\njnp = K()\nx = [1]\njnp.sum(x)\nprint(x)",
            6,
            [1, 3, 4, 5, 6],
        ),
        ("import os\nos.environ['A'] = '1'\nx = 1\ny = 2", 4, [1, 2, 4]),
        ("from __future__ import annotations\nx = 1\ny = 2", 3, [1, 3]),
        ("x = 1\ndel x\nprint(x)", 3, [1, 2, 3]),
        ("import other\nx = 1\ny = other.f(1)\nz = 2", 4, [1, 3, 4]),
        ("import a.b\nimport a.c\nprint(a.b)", 3, [1, 2, 3]),
        ("def f():\n    global n\n    n = 1\nn = 0\nf()\nprint(n)", 6, [1, 4, 5, 6]),
    ],
)
def test_what_is_taken(code: str, selected: int, taken: list[int]) -> None:
    assert lines(code, selected) == taken


@pytest.mark.parametrize(
    "code",
    [
        "exec('a = 1')",
        "from m import *",
        "globals()['a'] = 1",
        "import sys\nsys.modules['__main__']",
        "def f(): eval('1')\nf()",
        "e = eval\ne('1')",
        "import jax\njax.jit = 3",
    ],
)
def test_where_anything_may_happen_the_prefix_is_taken_and_it_is_said(code: str) -> None:
    found = facts(code + "\nunrelated = 1\nx = 2")
    chosen = slice_of(found, [len(found) - 1])
    assert [*chosen.taken] == [*range(len(found))]
    assert chosen.prefix is not None
    assert " at line " in chosen.prefix


def test_reasons_are_told_in_words() -> None:
    found = slice_of(facts("import jax\njax.config.update('a', 1)\nn = 1\nprint(n)"), [3])
    assert found.taken == {
        0: "binds jax, which line 2 reads",
        1: "changes the process: jax.config.update",
        2: "binds n, which line 4 reads",
        3: "selected",
    }


def test_a_thousand_units() -> None:
    code = "x = [0]\n" + "\n".join(
        f"def f{n}(a): return [a, x]\ny{n} = f{n}(x)" for n in range(600)
    )
    found = facts(code)
    assert len(slice_of(found, [len(found) - 1]).taken) == 3


COMMANDS = sorted((Path(__file__).parents[1] / "commands").glob("*.md"))


@pytest.mark.parametrize("path", COMMANDS, ids=lambda path: path.stem)
def test_no_section_of_the_pack_needs_the_prefix(path: Path) -> None:
    spec = parse_command(path.read_text(encoding="utf-8"), path=str(path))
    found: list[UnitFacts] = []
    places: dict[str, list[int]] = {}
    for example in spec.examples:
        code = facts(example.code) if example.runnable else []
        places[example.id] = [*range(len(found), len(found) + len(code))]
        found += code
    for selected in filter(None, places.values()):
        assert slice_of(found, selected).prefix is None
