"""What a difference is, and what is said of it."""

import pytest

from cmdpack_repeat.compare import advice, difference


@pytest.mark.parametrize(
    ("first", "later", "found"),
    [
        ("a\nb\n", "a\nb\n", None),
        ("a\nb\n", "a\nc\n", (2, "b", "c")),
        ("a\n", "a\nb\n", (2, "", "b")),
        ("a\nb\n", "", (1, "a", "")),
        ("a", "a ", (1, "a", "a ")),
        ("a", "a\n", (2, "(nothing)", "")),
    ],
)
def test_the_first_line_that_differs(
    first: str, later: str, found: tuple[int, str, str] | None
) -> None:
    assert difference(first, later) == found


@pytest.mark.parametrize(
    ("first", "later", "word"),
    [
        ("<object at 0x7f0012ab3400>", "<object at 0x7fffa2ab3400>", "address"),
        ("{'a', 'b', 'c'}", "{'b', 'c', 'a'}", "another order"),
        ("a:\nb\nc\n", "a:\nc\nb\n", "another order"),
        ("took 0.123 s", "took 0.124 s", "only numbers differ"),
        ("loss 1e-05", "loss 2.5e-05", "only numbers differ"),
        ("/tmp/tmpabc", "/tmp/tmpxyz", "does not repeat"),
    ],
)
def test_the_cause_follows_from_the_line(first: str, later: str, word: str) -> None:
    found = advice(first, later)
    assert word in found.cause
    assert found.next_step
