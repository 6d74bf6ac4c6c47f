"""Times of compilations. The rest needs JAX: tests/engines/test_evidence.py."""

from hypothesis import given
from hypothesis import strategies as st

from cmdpack.child.compilations import _covered

intervals = st.lists(
    st.tuples(st.integers(0, 50), st.integers(0, 20)).map(lambda it: (it[0], it[0] + it[1]))
)


@given(found=intervals)
def test_overlapping_times_are_counted_once(found: list[tuple[int, int]]) -> None:
    moments = {moment for start, end in found for moment in range(start, end)}
    assert _covered([*found]) == len(moments)
