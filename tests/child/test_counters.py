"""Counters at function entry: what they count, and that nothing can tell that they are there."""

import ast
import copy
import inspect
import linecache
import pickle
import subprocess
import sys
import textwrap
import threading
import traceback
import types
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmdpack.child.counters import Counter, can_count, compile_counted

FILE = "<sample>"


class Executed(NamedTuple):
    """Code that has run with counters: its namespace, its functions, those entered in order."""

    names: dict[str, Any]
    functions: list[str]
    entered: list[str]


def run(text: str, *, watch: bool = False, **names: Any) -> Executed:
    text = textwrap.dedent(text)
    numbers: list[int] = []
    watched: list[int] = []
    counter = Counter(lambda number, _: numbers.append(number))
    code, functions = compile_counted(ast.parse(text), FILE, 0, counter)
    counter.restart()
    if watch:
        counter.watch = lambda number, _: watched.append(number)
    linecache.cache[FILE] = (len(text), None, text.splitlines(keepends=True), FILE)
    exec(code, names)
    order = [it.name for it in functions]
    return Executed(names, order, [order[number] for number in (watched if watch else numbers)])


def test_every_kind_of_function_is_counted_when_it_is_entered() -> None:
    ran = run("""
        import asyncio
        def plain(a, b=lambda: 1):
            "Only a docstring."
        def never():
            plain(1)
        class A:
            attribute = (lambda: 5)()
            def method(self):
                def inner():
                    return lambda: 7
                return inner()
            class B:
                @staticmethod
                def static(): pass
        async def later():
            return 3
        def generate():
            yield 1
        def decorate(f): return f
        @decorate
        def decorated(): pass
        not_begun = generate()
        plain(1)
        A().method()
        A.B.static()
        list(generate())
        asyncio.run(later())
    """)
    assert ran.functions == [
        "plain",
        "<lambda>",
        "never",
        "A.<lambda>",
        "A.method",
        "A.method.<locals>.inner",
        "A.method.<locals>.inner.<locals>.<lambda>",
        "A.B.static",
        "later",
        "generate",
        "decorate",
        "decorated",
    ]
    assert ran.entered == [
        *("A.<lambda>", "decorate", "plain", "A.method", "A.method.<locals>.inner"),
        *("A.B.static", "generate", "later"),
    ]


def test_names_are_the_qualified_names_of_python() -> None:
    ran = run("""
        class A(metaclass=(lambda *it: type(*it))):
            f = lambda self: None
            def g(self):
                class C:
                    def h(self): return lambda: 1
                return C().h()
        found = [it.__qualname__ for it in (A.f, A.g, A().g())]
    """)
    assert ran.names["found"] == ["A.<lambda>", "A.g", "A.g.<locals>.C.h.<locals>.<lambda>"]
    assert {*ran.names["found"]} < {*ran.functions}


def test_a_function_is_told_once_until_the_next_start_and_every_time_while_watched() -> None:
    text = "def f(): pass\nf()\nf()\n"
    assert run(text).entered == ["f"]
    assert run(text, watch=True).entered == ["f", "f"]


def test_what_a_counter_raises_is_raised_and_the_next_entry_is_told() -> None:
    told = []

    def entered(number: int, frame: types.FrameType) -> None:
        told.append((number, frame.f_code.co_name))
        if len(told) == 1:
            raise RecursionError

    counter = Counter(entered)
    code, _ = compile_counted(ast.parse("def f(): return 1\n"), FILE, 0, counter)
    counter.restart()
    names: dict[str, Any] = {}
    exec(code, names)
    with pytest.raises(RecursionError):
        names["f"]()
    assert names["f"]() == names["f"]() == 1
    assert told == [(0, "f"), (0, "f")]


# Nothing else can tell


def test_docstrings_signatures_sources_and_lines_are_those_of_plain_python() -> None:
    text = '''
        def f(x: "int" = 1, *, key=None) -> str:
            """Doc.

            More.
            """

            return x, 1 / 0
        def g():
            "Only this."
        def h(): return (lambda z:
            z)
        class C:
            """Of the class."""
            def m(self): """Of the method."""
    '''
    ran, plain = run(text).names, {}
    exec(compile(textwrap.dedent(text), FILE, "exec"), plain)
    for name in ("f", "g", "h"):
        counted, other = ran[name], plain[name]
        assert counted.__doc__ == other.__doc__
        assert inspect.signature(counted) == inspect.signature(other)
        assert inspect.getsource(counted) == inspect.getsource(other)
        assert counted.__code__.co_firstlineno == other.__code__.co_firstlineno
        assert {line for *_, line in counted.__code__.co_lines()} == {
            line for *_, line in other.__code__.co_lines()
        }
        assert counted.__code__.co_names == other.__code__.co_names
        assert counted.__code__.co_varnames == other.__code__.co_varnames
    assert ran["C"].__doc__ == "Of the class."
    assert ran["C"].m.__doc__ == "Of the method."
    assert ran.keys() == plain.keys()
    traces = []
    for names in (ran, plain):
        with pytest.raises(ZeroDivisionError) as caught:
            names["f"]()
        frame = traceback.extract_tb(caught.value.__traceback__)[-1]
        traces.append((frame.lineno, frame.colno, frame.end_lineno, frame.end_colno, frame.line))
    assert traces[0] == traces[1]


def test_annotations_that_become_text_are_the_text_of_the_author() -> None:
    ran = run("""
        from __future__ import annotations
        value: (lambda: 1) = (lambda: 2)()
        def f(x: (lambda: 3), *, y: (lambda: 4) = (lambda: 5)()) -> (lambda: 6): pass
    """)
    assert ran.names["__annotations__"] == {"value": "lambda: 1"}
    assert ran.names["f"].__annotations__ == {
        name: f"lambda: {value}" for name, value in (("x", 3), ("y", 4), ("return", 6))
    }
    assert ran.functions == ["<lambda>", "f", "<lambda>"]


def test_lambdas_keep_their_values_and_what_they_yield() -> None:
    ran = run("""
        values = [(lambda: it)() for it in (0, 1, None, "", [])]
        sent = (lambda: (yield 3))()
        first = next(sent)
        pair = (lambda *a, k=2: (a, k))(1, k=0)
        nested = (lambda: lambda: 0)()()
    """)
    assert ran.names["values"] == [0, 1, None, "", []]
    assert ran.names["first"] == 3
    assert ran.names["pair"] == ((1,), 0)
    assert ran.names["nested"] == 0


def test_code_may_take_names_and_builtins_away() -> None:
    ran = run("""
        def f(): return 1
        g = f
        for name in [*globals()]:
            if name not in {"g", "name"}:
                del globals()[name]
        __builtins__ = {}
        x = g()
    """)
    assert ran.names["x"] == 1
    assert ran.entered == ["f"]


def test_functions_are_copied_compared_hashed_and_pickled_by_value() -> None:
    ran = run("""
        def f(x): return lambda: x + 1
    """)
    f = ran.names["f"]
    assert copy.deepcopy(f)(1)() == 2
    assert f.__code__ == f.__code__.replace()
    assert isinstance(hash(f.__code__), int)
    counters = [it for it in f.__code__.co_consts if isinstance(it, Counter)]
    assert len(counters) == 1
    # In a process that knows nothing of cmdpack, such a counter is called in vain.
    told = "import pickle, sys; [c] = pickle.load(sys.stdin.buffer); print(c(0), c(1))"
    done = subprocess.run(
        [sys.executable, "-I", "-c", told],
        input=pickle.dumps(counters),
        capture_output=True,
        check=True,
    )
    assert done.stdout == b"None None\n"


def test_constants_that_look_alike_are_left_alone() -> None:
    ran = run("def f(): return b'0123456789abcdef', 0, 1, None\nx = f()\n")
    assert ran.names["x"] == (b"0123456789abcdef", 0, 1, None)


def test_a_tower_of_functions_and_a_deep_expression_run() -> None:
    ran = run(f"f = {'lambda: ' * 300}5\nx = {'1 + ' * 300}1\n")
    assert len(ran.functions) == 100 - 1
    value = ran.names["f"]
    for _ in range(300):
        value = value()
    assert (value, ran.names["x"]) == (5, 301)


def test_what_is_too_deep_with_counters_runs_without() -> None:
    def tower(depth: int) -> str:
        return f"f = {'lambda: ' * depth}5\n"

    def is_possible(depth: int) -> bool:
        try:
            compile(ast.parse(tower(depth)), FILE, "exec")
        except (RecursionError, MemoryError):
            return False
        return True

    deepest = next(depth for depth in range(3000, 0, -10) if is_possible(depth)) - 10
    ran = run(tower(deepest))
    value = ran.names["f"]
    for _ in range(deepest):
        value = value()
    assert (value, ran.functions) == (5, [])


def test_recursion_to_the_limit_is_an_error_of_the_example() -> None:
    ran = run("""
        def down(n): return down(n + 1)
        try:
            down(0)
        except (RecursionError, MemoryError):
            caught = True
        deepest = 0
        def measure(n):
            global deepest
            deepest = n
            measure(n + 1)
        try: measure(0)
        except RecursionError: pass
    """)
    assert ran.names["caught"]
    assert ran.names["deepest"] > 500
    assert ran.entered == ["down", "measure"]


def test_threads_are_counted() -> None:
    ran = run(
        """
        def work(): done.append(1)
        threads = [Thread(target=work) for _ in range(8)]
        for it in threads: it.start()
        for it in threads: it.join()
        """,
        Thread=threading.Thread,
        done=[],
    )
    assert len(ran.names["done"]) == 8
    assert set(ran.entered) == {"work"}


def test_code_whose_functions_are_read_as_bytecode_is_not_counted() -> None:
    assert can_count(["import jax", "x = 1"])
    assert not can_count(["import jax", "from numba import njit"])


# Whatever the program

_EXPRESSIONS = st.recursive(
    st.sampled_from(["1", "None", "x", "'s'", "b'b'", "()"]),
    lambda inner: st.one_of(
        inner.map(lambda it: f"(lambda x=1: {it})()"),
        inner.map(lambda it: f"(lambda: (lambda x: {it}))()(2)"),
        inner.map(lambda it: f"[{it} for x in (3, 4)]"),
        st.tuples(inner, inner).map(lambda it: f"({it[0]} or {it[1]})"),
        st.tuples(inner, inner).map(lambda it: f"({it[0]}, {it[1]})"),
    ),
    max_leaves=6,
)


@settings(deadline=None, max_examples=60)
@given(st.lists(_EXPRESSIONS, min_size=1, max_size=4), st.booleans())
def test_values_are_those_of_plain_python(expressions: list[str], documented: bool) -> None:
    lines = ["def f(x):", *(['    "Doc."'] if documented else [])]
    lines += [f"    y{n} = {it}" for n, it in enumerate(expressions)]
    lines += [f"    return [{', '.join(f'y{n}' for n in range(len(expressions)))}]", "v = f(0)"]
    text = "\n".join(lines) + "\n"
    plain: dict[str, Any] = {}
    exec(text, plain)
    ran = run(text)
    assert ran.names["v"] == plain["v"]
    assert ran.names["f"].__doc__ == plain["f"].__doc__
    assert ran.entered[0] == "f"
