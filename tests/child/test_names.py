"""The names of a unit: what it binds, deletes, reads and changes, now and late."""

import ast
import contextlib
import sys

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

from cmdpack.child import names

CASES = {
    "x = y": {"binds": "x", "reads": "y", "certain": "x"},
    "x: int = y": {"binds": "x", "reads": "int y" if sys.version_info < (3, 14) else "y"},
    "x: int": {"binds": ""},
    "a, (b, *c) = d": {"binds": "a b c", "reads": "d", "certain": "a b c"},
    "a.b = c": {"binds": "", "reads": "a c", "mutates": "a"},
    "a[i].b = c": {"binds": "", "reads": "a i c", "mutates": "a"},
    "del a.b, c[0]": {"deletes": "", "mutates": "a c"},
    "del a, (b,)": {"deletes": "a b", "reads": "a b", "certain": "a b"},
    "x += y": {"binds": "x", "reads": "x y", "mutates": "x"},
    "x.append(y)": {"binds": "", "reads": "x y", "mutates": "x y"},
    "x.mean()": {"mutates": ""},
    "f(x)": {"reads": "f x", "mutates": "x"},
    "len(x)": {"mutates": ""},
    "lib.f(x)": {"reads": "lib x", "mutates": ""},
    "import a.b": {"binds": "a", "reads": "", "certain": ""},
    "import a.b as c, d": {"binds": "c d", "certain": "c d"},
    "from a import b as c": {"binds": "c"},
    "if a:\n    b = 1\nelse:\n    c = b": {"binds": "b c", "reads": "a b", "certain": ""},
    "for i in r:\n    s = i\n    t = s": {"binds": "i s t", "reads": "r", "certain": ""},
    "with a as b:\n    c = b": {"binds": "b c", "reads": "a", "certain": ""},
    "try:\n    a = 1\nexcept E as e:\n    p(e, a)": {
        "binds": "a e",
        "deletes": "e",
        "reads": "E p a",
    },
    "while n:\n    n = m": {"binds": "n", "reads": "n m"},
    "match s:\n  case C(x=k.V, y=v): w = v\n  case [_, *r] | {'a': r}: pass\n  case q: pass": {
        "binds": "v w r q",
        "reads": "s C k",
    },
    "(y := f(x))": {"binds": "y", "reads": "f x", "certain": ""},
    "z = [(y := f(i)) for i in r if y]": {"binds": "y z", "reads": "f r y", "certain": "z"},
    "z = {k: v for k, v in d.items()}": {"binds": "z", "reads": "d"},
    "z = sum(i * k for i in r)": {"binds": "z", "reads": "sum k r", "late_reads": "k"},
    "f = lambda a, b=c: a + b + d": {"binds": "f", "reads": "c", "late_reads": "d"},
    "@d\ndef f(a, b=c, *e, g=h, **i):\n    return a + b + j": {
        "binds": "f",
        "reads": "d c h",
        "late_reads": "j",
    },
    "def f():\n    global x, y\n    x = z\n    del y": {
        "binds": "f",
        "late_binds": "x y",
        "late_reads": "y z",
    },
    "def f():\n    x = 1\n    def g():\n        nonlocal x\n        x = y\n        return x\n": {
        "binds": "f",
        "late_reads": "y",
        "late_binds": "",
    },
    "def f():\n    return x\n    x = 1": {"late_reads": ""},
    "def f():\n    log.append(1)\n    t[0] = 2": {"late_mutates": "log t", "mutates": ""},
    "def f(x):\n    x.append(y)": {"late_mutates": "y"},
    "class C(B, metaclass=M):\n    x = x\n    def m(self): return x": {
        "binds": "C",
        "reads": "B M x",
        "late_reads": "x",
    },
    "class C:\n    global g\n    g = 1\n    y = [z for z in w]": {"binds": "C g", "reads": "w"},
    "class C:\n    __x = __y\n    def m(self): return __z": {
        "reads": "_C__y",
        "late_reads": "_C__z",
    },
    "async def f(a):\n    async for b in c(a):\n        await d": {
        "binds": "f",
        "late_reads": "c d",
    },
    "def f(a: T = 1) -> U: pass": {"reads": "T U" if sys.version_info < (3, 14) else ""},
}
if sys.version_info >= (3, 12):
    CASES |= {
        "def f[T: B](x: T) -> T: return x": {"binds": "f", "reads": "", "late_reads": "B"},
        "type X[T] = list[T, Y]": {"binds": "X", "reads": "", "late_reads": "list Y"},
        "class C[T](Base[T]): pass": {"binds": "C", "reads": "Base"},
    }


@pytest.mark.parametrize("code", CASES)
def test_each_construct(code: str) -> None:
    found = names.of(ast.parse(code).body[0], libraries={"lib"})
    for field, expected in CASES[code].items():
        assert {*getattr(found, field)} == {*expected.split()}, field


def test_annotations_that_are_text_are_not_read() -> None:
    for code in ("x: int = y", "def f(a: T) -> U: pass", "class C:\n    x: T = y"):
        found = names.of(ast.parse(code).body[0], future=True)
        assert found.reads == {"y"} - ({"y"} if code.startswith("def") else set())


def test_star_imports_are_told() -> None:
    assert names.of(ast.parse("from m import *").body[0]).opaque == ("import of everything in m",)


EXPRESSIONS = st.recursive(
    st.sampled_from(["a", "b", "1", "'t'", "f()", "a.b", "a[0]"]),
    lambda inner: st.builds(
        lambda form, x, y: form.format(x, y),
        st.sampled_from(
            [
                "({} + {})",
                "[{}, *{}]",
                "{{{}: {}}}",
                "(lambda q={}: {})",
                "[i for i in {} if {}]",
                "f({}, k={})",
                "(z := {}, {})",
                "({} if {} else b)",
                "f'{{{}}}{{{}}}'",
                "a[{}:{}]",
            ]
        ),
        inner,
        inner,
    ),
    max_leaves=8,
)


@given(
    expressions=st.lists(EXPRESSIONS, min_size=2, max_size=2),
    form=st.sampled_from(
        [
            "{}\n{}",
            "t = {}\nu = {}",
            "for t in {}:\n    {}",
            "def g(p={}):\n    return {}",
            "class K({}):\n    m = {}",
            "with {} as t:\n    {}",
            "@f\ndef g(p: {}) -> {}: pass",
        ]
    ),
)
@settings(deadline=None, max_examples=200)
def test_every_name_that_python_looks_up_at_once_is_told(expressions: list[str], form: str) -> None:
    code = form.format(*expressions)
    looked_up: set[str] = set()

    class Anything:
        def __getattr__(self, _: str) -> "Anything":
            return Anything()

        def __call__(self, *_: object, **__: object) -> "Anything":
            return Anything()

    class Namespace(dict):  # type: ignore[type-arg]
        def __getitem__(self, key: str) -> object:
            looked_up.add(key)
            return super().__getitem__(key)

    try:
        node = ast.parse(code).body
    except SyntaxError:  # quotes in an f-string, before Python 3.12
        reject()
    found = [names.of(it) for it in node]
    with contextlib.suppress(Exception):
        exec(compile(code, "f", "exec"), {"__builtins__": {}}, Namespace(a=[], b=[], f=Anything()))
    told = {name for it in found for name in it.reads | it.binds | it.deletes}
    assert looked_up - {"__name__", "__build_class__"} <= told
