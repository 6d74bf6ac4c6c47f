"""How two calls of a function differ, told from its arguments."""

import sys
import types
from typing import Any

import pytest

from cmdpack.child import signatures


class Tracer:
    """What the arguments of a traced function are, as far as it is looked at."""

    def __init__(self, dtype: str, *shape: int, weak: bool = False, axes: str = "") -> None:
        mesh = types.SimpleNamespace(shape={"i": 2} if axes else {})
        self.dtype, self.shape = dtype, shape
        self.aval = types.SimpleNamespace(
            weak_type=weak, sharding=types.SimpleNamespace(mesh=mesh), name=f"{dtype}@{axes}"
        )


class Custom:
    def __init__(self, **fields: Any) -> None:
        vars(self).update(fields)

    def __getattr__(self, name: str) -> Any:
        raise AssertionError("called")

    __eq__ = __repr__ = __iter__ = __len__ = __getattr__  # type: ignore[assignment]
    __hash__ = None  # type: ignore[assignment]


def signature(*args: Any, **more: Any) -> signatures.Signature:
    def function(x: Any, *args: Any, key: Any = None, **more: Any) -> signatures.Signature:
        local = None
        del local
        return signatures.of(sys._getframe(), Tracer)

    return function(*args, **more)


def change(now: signatures.Signature, *before: signatures.Signature) -> tuple[str, list[str]]:
    cause, differences = signatures.change(now, before)
    texts = [f"{it['argument']}: {it['now']} after {it['before']}" for it in differences]
    return cause, texts


F = Tracer("float32", 64)


@pytest.mark.parametrize(
    ("now", "before", "cause", "text"),
    [
        (
            [Tracer("float32", 64)],
            [Tracer("float32", 8, 8)],
            "shape",
            "x: float32[64] after float32[8,8]",
        ),
        ([Tracer("int8")], [Tracer("bool")], "dtype", "x: int8[] after bool[]"),
        (
            [Tracer("float32", weak=True)],
            [Tracer("float32")],
            "weak-type",
            "x: float32[] (weakly typed) after float32[]",
        ),
        ([F, 3], [F, 2], "static-value", "args[0]: 3 after 2"),
        ([F, "a"], [F, None], "static-value", "args[0]: 'a' after None"),
        ([{"a": F, "b": F}], [{"a": F}], "structure", "x['b']: float32[64] after absent"),
        ([[F]], [[F, F]], "structure", "x[1]: absent after float32[64]"),
        ([Custom(w=F, n=1)], [Custom(w=F, n=2)], "static-value", "x.n: 1 after 2"),
        ([print], [len], "static-value", "x: another builtin_function_or_method after a builtin"),
        ([Custom(n=1)], [Custom(n=1)], "static-value", "x: another Custom after a Custom"),
    ],
)
def test_the_first_difference_is_the_cause(
    now: list[Any], before: list[Any], cause: str, text: str
) -> None:
    found, [first, *_] = change(signature(*now), signature(*before))
    assert found == cause
    assert first.startswith(text)


def test_without_a_difference_the_function_is_another() -> None:
    call = ([F, {"k": (1, F)}, Custom(w=F)],)
    assert change(signature(*call), signature(*call)) == ("redefined", [])


def test_another_sharding_is_told_with_the_mesh() -> None:
    now, before = signature(Tracer("float32", 4, axes="i")), signature(Tracer("float32", 4))
    cause, [text] = change(now, before)
    assert cause == "placement"
    assert text.endswith("over i=2 after float32[4] without a mesh")


def test_of_earlier_calls_the_most_similar_counts_and_then_the_last() -> None:
    earlier = [signature(Tracer("float32", n), Tracer("float32", n)) for n in (1, 2, 3)]
    mixed = signature(Tracer("float32", 2), Tracer("int8", 2))
    assert change(mixed, *earlier) == ("dtype", ["args[0]: int8[2] after float32[2]"])
    far = signature(Tracer("float32", 9), Tracer("float32", 9))
    assert change(far, *earlier)[1][0] == "x: float32[9] after float32[3]"


def test_what_is_huge_or_holds_itself_is_cut_short() -> None:
    loop: list[Any] = []
    loop.append(loop)
    many = signature([Tracer("float32", n) for n in range(2000)])
    assert len(many) == 500
    assert signature(loop).keys() <= {"x" + "[0]" * n for n in range(9)} | {"args", "key", "more"}
    assert len(str(signature("s" * 1000)["x"])) == 60
