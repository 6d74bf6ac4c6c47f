"""What a failure takes with it, case by case, and that nothing that runs could tell.

Programs run as the runner runs them, unit by unit in one namespace, but in this process.
"""

import ast
import textwrap
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cmdpack.child import poison, units
from cmdpack.child.poison import Need, Poison


class Ran(NamedTuple):
    """A unit that is over: where it stands, what became of it, and what there is afterwards."""

    line: int
    outcome: str
    needs: list[Need]
    error: str | None
    names: dict[str, str]


def run(text: str, **names: Any) -> list[Ran]:
    """Run the units of `text`, going on after a failure."""
    main: dict[str, Any] = {**names}
    tree, found = units.parse(text, "<sample>", units.Place(1, ()))
    flags = compile(tree, "<sample>", "exec", dont_inherit=True).co_flags & ANNOTATIONS
    libraries = {name for unit in found for name in poison.pure_imports(unit.node)}
    state = Poison(main)
    ran = []
    for unit in found:
        facts = poison.facts_of(unit.node, future=bool(flags), libraries=libraries)
        code = compile(ast.Module([unit.node], []), "<sample>", "exec", flags, dont_inherit=True)
        outcome, needs, error = follow(state, str(unit.line), facts, lambda c=code: exec(c, main))
        values = {k: repr(v) for k, v in main.items() if not (callable(v) or k.startswith("_"))}
        ran.append(Ran(unit.line, outcome, needs, error, values))
    return ran


ANNOTATIONS = __import__("__future__").annotations.compiler_flag


def follow(
    state: Poison, name: str, facts: poison.Facts, body: Callable[[], None]
) -> tuple[str, list[Need], str | None]:
    """Run one unit as the runner does. Returns its outcome, its needs, and what it raised."""
    if needs := state.needs(facts):
        state.blocked(facts, needs)
        return "blocked", needs, None
    before = state.snapshot()
    try:
        body()
    except Exception as error:  # noqa: BLE001 - whatever a unit raises
        raised = type(error).__name__
        if needs := state.missed(error):
            state.blocked(facts, needs, before)
            return "blocked", needs, raised
        state.failed(facts, name, before)
        return "failed", [], raised
    state.passed(facts, before)
    return "ok", [], None


CASES = {
    "what reads it at once": """
        a = 1 / 0  #! failed
        b = a  #! blocked
        c = b  #! blocked
        d = 1
        """,
    "an older value": """
        a = 1
        a = 1 / 0  #! failed
        b = a  #! blocked
        """,
    "a name that stands for a module": """
        import math as m
        m = 1 / 0  #! failed
        print(m.pi)  #! blocked
        """,
    "reading through a name": """
        class Box: pass
        m = Box()
        m = 1 / 0  #! failed
        m.x  #! blocked
        m.x.y[0]  #! blocked
        """,
    "storing through a name": """
        class Box: pass
        m = Box()
        m.x = 1
        m.x = 1 / 0  #! failed
        m.x  #! blocked
        """,
    "storing in an item": """
        d = {}
        d["k"] = 1 / 0  #! failed
        len(d)  #! blocked
        """,
    "storing where it never could be": """
        t = (1, 2)
        t[0] = 3  #! failed
        u = t
        """,
    "storing in a module": """
        import types
        m = types.ModuleType("m")
        m.width = 1
        m.width = 1 / 0  #! failed
        m.width  #! blocked
        """,
    "all targets of a tuple": """
        a, (b, *c) = 1, (2,)
        a, (b, *c) = 1, (2 / 0,)  #! failed
        a  #! blocked
        b  #! blocked
        c  #! blocked
        """,
    "a tuple that is bound in part": """
        a, b = 7, 7
        a, b = iter([1])  #! failed
        a  #! blocked
        b  #! blocked
        """,
    "several targets": """
        a = b = 1 / 0  #! failed
        a  #! blocked
        b  #! blocked
        """,
    "a walrus": """
        print((a := 1) / 0)  #! failed
        a  #! blocked
        """,
    "an augmented assignment": """
        a = 1
        a += 1 / 0  #! failed
        a  #! blocked
        a = 2
        a
        """,
    "changing a poisoned name": """
        a = 1 / 0  #! failed
        a += 1  #! blocked
        a.x = 1  #! blocked
        a[0] = 1  #! blocked
        a.append(1)  #! blocked
        del a  #! blocked
        """,
    "an import": """
        import no_such_module  #! failed
        no_such_module.f()  #! blocked
        """,
    "an import by another name": """
        import no.such.module as n  #! failed
        n.f()  #! blocked
        """,
    "an import of a name": """
        from math import pi, no_such_name as n  #! failed
        n  #! blocked
        pi  #! blocked
        """,
    "a module that the package has no more": """
        import json
        import json.no_such_part  #! failed
        json.dumps(1)
        json.no_such_part.f()  #! blocked
        def f(): json.no_such_part.f()
        f()  #! blocked
        json.no_such_name  #! failed
        """,
    "a module of a package that was not there before": """
        import email.no_such_part  #! failed
        email.message  #! blocked
        import email
        email.message_from_string("")
        """,
    "a star import": """
        a = 1
        from no_such_module import *  #! failed
        a
        unheard_of  #! blocked
        def f(): return unheard_of
        f()  #! blocked
        """,
    "code that is text": """
        exec("raise ValueError")  #! failed
        unheard_of  #! blocked
        """,
    "what was bound before it failed, unseen": """
        a = 1
        globals().update(a=2, b=3) or 1 / 0  #! failed
        a  #! blocked
        b  #! blocked
        """,
    "a class body": """
        class C:  #! failed
            x = 1
            y = 1 / 0
        C  #! blocked
        class D(C): pass  #! blocked
        D.x  #! blocked
        """,
    "what a class body binds outside": """
        a = 1
        class C:  #! failed
            global a
            a = 1 / 0
        a  #! blocked
        """,
    "a decorator": """
        @(1 / 0)  #! failed
        def f(): pass
        f()  #! blocked
        """,
    "a default": """
        a = 1 / 0  #! failed
        def f(x=a): pass  #! blocked
        f(1)  #! blocked
        """,
    "a loop": """
        total = 0
        for i in (1, 0):  #! failed
            total += 1 / i
        total  #! blocked
        i  #! blocked
        for i in range(3): total = i
        total
        """,
    "a loop whose variable is poisoned": """
        for i in (0,): 1 / i  #! failed
        for i in (1,): 1 / i
        [i for i in (1,)]
        """,
    "a branch that was not taken": """
        a = 1
        if 1 / 0: a = 2  #! failed
        a  #! blocked
        """,
    "a branch that does not cure": """
        a = 1 / 0  #! failed
        if False: a = 1
        a  #! blocked
        if True: a = 1
        a
        """,
    "try": """
        try: a = 1 / 0
        except ZeroDivisionError: a = 0
        a
        """,
    "with": """
        import contextlib
        with contextlib.nullcontext(1) as a: b = 1 / 0  #! failed
        a  #! blocked
        b  #! blocked
        """,
    "match": """
        match (1, 2):  #! failed
            case (a, b): c = 1 / 0
        a  #! blocked
        c  #! blocked
        """,
    "rebinding": """
        a = 1 / 0  #! failed
        a = 1
        a
        """,
    "rebinding by what needs it": """
        a = 1 / 0  #! failed
        a = a + 1  #! blocked
        a  #! blocked
        """,
    "rebinding that fails again": """
        a = 1 / 0  #! failed
        a = int("x")  #! failed
        a  #! blocked
        """,
    "deleting": """
        a = 1
        del a, b  #! failed
        a  #! blocked
        """,
    "deleting what was given is no failure": """
        a = 1
        del a
        a  #! failed
        """,
    "a function that is defined before": """
        def f(): return a
        a = 1 / 0  #! failed
        f  # not called
        f()  #! blocked
        b = [f]
        b[0]()  #! blocked
        a = 1
        f()
        """,
    "a function in a function": """
        def f(): return a
        def g(): return f() + 1
        class C:
            def m(self): return g()
        c = C()
        a = 1 / 0  #! failed
        g()  #! blocked
        c.m()  #! blocked
        """,
    "a function that is defined after": """
        a = 1 / 0  #! failed
        def f(): return a
        f()  #! blocked
        h = lambda: a
        h()  #! blocked
        """,
    "a function that fails only when called": """
        def f(): return 1 / 0
        b = f()  #! failed
        f
        b  #! blocked
        """,
    "what was raised instead": """
        a = 1 / 0  #! failed
        def f(): return a
        def g():
            try: return f()
            except NameError as error: raise ValueError("no a") from error
        g()  #! blocked
        def h():
            try: return f()
            except NameError: return 1 / 0
        h()  #! blocked
        def i():
            try: return f()
            finally: raise ExceptionGroup("many", [KeyError(1)])
        i()  #! blocked
        """,
    "a local variable of the same name": """
        a = 1 / 0  #! failed
        def f():
            print(a)
            a = 1
        f()  #! failed
        def g():
            def h(): return a
            if False: a = 1
            return h()
        g()  #! failed
        """,
    "a name that nobody ever had": """
        a = 1 / 0  #! failed
        b  #! failed
        """,
    "a global that a function was to bind": """
        m = 1
        def setup():
            global m
            m = 1 / 0
        m
        setup()  #! failed
        m  #! blocked
        """,
    "a global that a blocked call was to bind": """
        m = 1
        def setup(x):
            global m
            m = x
        a = 1 / 0  #! failed
        setup(a)  #! blocked
        m  #! blocked
        setup(2)
        m
        """,
    "a global at the end of a chain of calls": """
        m = 1
        def inner():
            global m
            m = 1 / 0
        class C:
            def method(self): inner()
        c = C()
        c.method()  #! failed
        m  #! blocked
        """,
    "a global of a function that is gone": """
        m = 1
        def f():
            global m
            m = 2
        f = 1 / 0  #! failed
        m = 3
        f()  #! blocked
        m  #! blocked
        """,
    "what it was handed": """
        state = [1]
        def train(s):
            s.append(1)
            raise ValueError
        train(state)  #! failed
        state  #! blocked
        """,
    "what it was handed and cannot change": """
        import math
        a, b, c, d = 1, "text", (1, ("x",)), None
        def f(*values): raise ValueError
        f(a, b, c, d, math, f, len)  #! failed
        (a, b, c, d, math.pi, len(b))
        f()  #! failed
        """,
    "a tuple that holds a list": """
        pair = (1, [2])
        def f(value): raise ValueError
        f(pair)  #! failed
        pair  #! blocked
        """,
    "what a call into a module cannot harm": """
        import math
        from math import sqrt
        math.sqrt(-1)  #! failed
        sqrt(-1)  #! failed
        math.sqrt(sqrt(4))
        """,
    "a method": """
        items = [1]
        items.remove(2)  #! failed
        items  #! blocked
        """,
    "a method that is kept": """
        items = [1]
        remove = items.remove
        remove(2)  #! failed
        items  #! blocked
        """,
    "another name of the same": """
        items = [1]
        other = items
        items.remove(2)  #! failed
        other  #! blocked
        """,
    "another name that there would have been": """
        items = [1]
        other = (items, 1 / 0)[0]  #! failed
        len(items)
        other.append(2)  #! blocked
        items  #! blocked
        """,
    "a method that there would have been": """
        items = [1]
        append = (items.append, 1 / 0)[0]  #! failed
        append(2)  #! blocked
        items  #! blocked
        """,
    "an iterator": """
        numbers = iter([1, 0, 2])
        for n in numbers: 1 / n  #! failed
        next(numbers)  #! blocked
        """,
    "changes by a function": """
        history = []
        def push(value): history.append(value)
        push(1 / 0)  #! failed
        history  #! blocked
        """,
    "changes that a blocked unit was to make": """
        history = []
        a = 1 / 0  #! failed
        history.append(a)  #! blocked
        history  #! blocked
        """,
    "a function that changes nothing": """
        data = [1, 2]
        def total(): return sum(data) / 0
        total()  #! failed
        data
        """,
    "a name that hides a builtin": """
        def f(x): return max(x)
        def g(x): return f(x)
        max = 1 / 0  #! failed
        max([1])  #! blocked
        def h(x): return max(x)
        f([1])  #! blocked
        g([1])  #! blocked
        len([1])
        del max  #! blocked
        max = sum
        g([1])
        """,
    "annotations": """
        a = 1 / 0  #! failed
        def f(x: a): pass  #! blocked
        b: a = 1  #! blocked
        """,
    "annotations that are text": """
        from __future__ import annotations
        a = 1 / 0  #! failed
        def f(x: a) -> a: return x
        f(1)
        b: a = 1
        b
        """,
    "a comprehension": """
        a = 1 / 0  #! failed
        [a for _ in range(2)]  #! blocked
        {a: 1 for a in (1,)}
        """,
}


@pytest.mark.parametrize("text", CASES.values(), ids=CASES)
def test_what_becomes_of_each_unit(text: str) -> None:
    text = textwrap.dedent(text).strip()
    told = [(ran.line, ran.outcome) for ran in run(text)]
    lines = text.splitlines()
    marks = [lines[line - 1].partition("#! ")[2] or "ok" for line, _ in told]
    assert [outcome for _, outcome in told] == marks, told


@pytest.mark.parametrize(
    ("text", "needs"),
    [
        ("a = 1 / 0\na", [Need("a", "failed", ("1",))]),
        ("a = 1 / 0\nb = a\nb", [Need("b", "blocked", ("1",))]),
        ("a = []\na.x()\na", [Need("a", "changed", ("2",))]),
        ("a = 1 / 0\nb = 1 / 0\na, b", [Need("a", "failed", ("1",)), Need("b", "failed", ("2",))]),
        ("a = 1 / 0\nb = 1 / 0\nc = a, b\nc", [Need("c", "blocked", ("1", "2"))]),
        ("a = 1 / 0\na = 1 / 0\na", [Need("a", "failed", ("2",))]),
        ("a = 1 / 0\nif 1 / 0: a = 1\na", [Need("a", "failed", ("1", "2"))]),
        ("a = 1 / 0\ndef f():\n  return a\nf()", [Need("a", "failed", ("1",), 3)]),
        ("from no import *\nunheard", [Need("unheard", "unknown", ("1",), 2)]),
        ("import json\nimport json.no\njson.no.f", [Need("json.no", "failed", ("2",))]),
        ("import json\nimport json.no\nlambda: 0\n(lambda: json.no)()", None),
    ],
)
def test_the_last_unit_is_blocked_by_name_way_and_cause(
    text: str, needs: list[Need] | None
) -> None:
    last = run(text)[-1]
    assert last.outcome == "blocked"
    assert last.needs == (needs or [Need("json.no", "failed", ("2",))])


def test_exceptions_that_do_what_they_like_are_failures() -> None:
    odd = """
        class Odd(NameError):
            @property
            def name(self): raise KeyError
            __cause__ = __context__ = property(lambda self: 1 / 0)
        a = 1 / 0
        raise Odd
        raise KeyError from None
        a
        """
    outcomes = [it.outcome for it in run(textwrap.dedent(odd))]
    assert outcomes == ["ok", "failed", "failed", "failed", "blocked"]


def test_exits_are_never_put_aside() -> None:
    state = Poison({})
    state.failed(
        poison.facts_of(ast.parse("a = 1 / 0").body[0], future=False, libraries=()), "1", {}
    )
    for kind, needs in ((ValueError, 1), (SystemExit, 0), (KeyboardInterrupt, 0)):
        error = kind()
        error.__context__ = NameError(name="a")
        assert len(state.missed(error)) == needs


# Going on is sound: what a failure would have given makes no difference to what runs after it

NUMBERS = st.sampled_from(["a", "b", "c", "id"])
LISTS = st.sampled_from(["p", "q"])
BOXES = st.sampled_from(["o", "u"])
FUNCTIONS = st.sampled_from(["f", "g", "h"])

PRELUDE = """
class Box:
    def __init__(self, value): self.value = value
    def push(self, value): self.value += value
    def __repr__(self): return f"Box({self.value})"
a, b, c, id = 1, 2, 3, 4
p, q = [1, 2], [3]
o, u = Box(1), Box(2)
def f(x): return x + a
def g(x): return x + id
def h(x): return x
push = p.append
"""

EFFECTS = [
    "{n} = {v}",
    "{n} += {v}",
    "{n}, {m} = {v}, {m}",
    "{n} = {m} = {v}",
    "{l}.append({v})",
    "{l}[0] = {v}",
    "{l} = [{v}, {m}]",
    "{l} = {k}",
    "{l} = [*{k}, {v}]",
    "{l} += [{v}]",
    "{n} = sum({l}) + {v}",
    "{n} = {l}[0] + {v}",
    "{o}.value = {v}",
    "{o}.push({v})",
    "{o} = Box({v})",
    "{o} = {w}",
    "{n} = {o}.value + {v}",
    "{n} = (lambda x: x + {m})({v})",
    "{n} = [i + {v} for i in range(2)][1]",
    "for i in range(2): {n} = i + {v}",
    "for i in range(2):\n    {n} = {m} + i\n    {l}.append({v})",
    "if {v} > {m}: {n} = {v}\nelse: {l}.append({n})",
    "if {n} > {m}: {m} = {v}",
    "{n} = (lambda y={v}: y)()",
    "{f} = lambda x: x + {v}",
    "def {f}(x, y={v}): return x + y",
    "def {f}(x): return x + {n}",
    "def {f}(x):\n    {l}.append(x)\n    return {n}",
    "def {f}(x):\n    global {n}\n    {n} = x\n    return x",
    "def {f}(x):\n    {o}.push(x)\n    return {o}.value",
    "{f} = {e}",
    "{n} = {f}({v})",
    "{f}({v})",
    "{l}.append({f}({v}))",
    "{n} = [*map({f}, [{v}, {m}])][1]",
    "push = {o}.push",
    "push = {l}.append",
    "push = [{l}.append, {v}][0]",
    "push({v})",
    "{l} = [{k}, {v}][0]",
    "{o} = [{w}, {v}][0]",
]
VALUES = ["{m}", "3", "{f}({m})", "sum({l})", "{o}.value", "len({k})"]


@st.composite
def statements(draw: st.DrawFn, *, fails: bool) -> str:
    value = draw(st.sampled_from(VALUES))
    kinds = {"nm": NUMBERS, "lk": LISTS, "ow": BOXES, "fe": FUNCTIONS}
    names = {name: draw(kind) for pair, kind in kinds.items() for name in pair}
    value = value.format(**names)
    return draw(st.sampled_from(EFFECTS)).format(v=f"boom({value})" if fails else value, **names)


@st.composite
def programs(draw: st.DrawFn) -> str:
    before = draw(st.lists(statements(fails=False), max_size=4))
    failing = draw(statements(fails=True))
    after = draw(st.lists(statements(fails=False), min_size=1, max_size=8))
    return PRELUDE + "\n".join([*before, failing, *after])


def boom(_: int) -> int:
    raise ValueError


@given(programs())
@settings(deadline=None, max_examples=400)
def test_what_runs_after_a_failure_does_not_depend_on_it(text: str) -> None:
    """Had it not failed, whatever it would have given, what runs would have done the same."""
    real = run(text, boom=boom)
    for value in (1, 1000):
        other = run(text, boom=lambda x, value=value: x * 7 + value)
        assume(all(it.outcome == "ok" for it in other))  # no recursion for ever
        for ours, theirs in zip(real, other, strict=True):
            if ours.outcome == "ok":
                assert ours.names.items() <= theirs.names.items(), (ours.line, text)
            else:
                assert ours.outcome == "blocked" or ours.error == "ValueError", (ours.line, text)


@given(programs(), st.lists(statements(fails=False), max_size=8))
@settings(deadline=None, max_examples=100)
def test_what_has_nothing_to_do_with_a_failure_runs(text: str, others: list[str]) -> None:
    """A program without a name in common is run whole, before and after a failing one."""
    apart = "\n".join([PRELUDE, *others])
    alone = run(apart)
    assume(all(it.outcome == "ok" for it in alone))
    renamed = _renamed(text)
    ran = run(f"{renamed}\n{apart}", boom=boom)[-len(alone) :]
    assert [it.outcome for it in ran] == ["ok"] * len(alone)


def _renamed(text: str) -> str:
    """`text` with names of its own."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and node.id in {*"abcpquoufgh", "id", "Box", "i", "push"}:
            node.id += "_"
        elif isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("__"):
            node.name += "" if node.name == "push" else "_"
        elif isinstance(node, ast.Global):
            node.names = [f"{it}_" for it in node.names]
    return ast.unparse(tree)
