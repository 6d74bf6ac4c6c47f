"""Options, held against the examples that they select and the lines that use them."""

import pytest

from cmdpack.declarations import check_options
from cmdpack.parse import parse_command

HEAD = """\
---
options:
  op: {choices: [jit, grad], default: jit}
  steps: {metavar: N}
  fast: {help: no waiting}
---
# T

```python op=jit
x = 1
```

"""


def found(line: str, fence: str = "bash") -> list[tuple[str, int, str]]:
    spec = parse_command(f"{HEAD}```{fence}\n{line}\n```\n", "t.md")
    return [(it.code, it.span.line, it.message) for it in check_options(spec)]


@pytest.mark.parametrize(
    "line",
    [
        "/t",
        "/t --op=jit --steps=3 --fast file.py",
        "/t --op=all",
        "/t --op=<op> --op=jit|grad [--fast]",
        "/t --op",
        "/other --unknown",
    ],
)
def test_what_is_declared_may_be_used(line: str) -> None:
    assert found(line) == []


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("/t --slow", "t has no option `slow`"),
        ("/t --op=vmap", "`vmap` is no choice of `op`: jit, grad, all"),
        ("/t --fast=yes", "`fast` is a flag and takes no value"),
    ],
)
def test_what_is_not_declared_is_a_warning_at_its_line(line: str, problem: str) -> None:
    assert found(line) == [("OP003", 14, f"`{line}`: {problem}")]
    assert found(line, "text") == []


def test_workflows_and_related_commands_are_held_against_the_options_too() -> None:
    spec = parse_command(
        f"{HEAD}## Flow\n\n```bash\n/t --a\n/u --a\n```\n\n"
        "## Related Commands\n\n**More**\n- `/t --b` - again\n- `/u --b` - another\n",
        "t.md",
    )
    assert [it.message for it in check_options(spec)] == [
        "`/t --a`: t has no option `a`",
        "`/t --b`: t has no option `b`",
    ]


def test_a_default_that_would_select_nothing() -> None:
    text = "---\noptions:\n  op: {choices: [a, b], default: all}\n---\n# T\n"
    [finding] = check_options(parse_command(text, "t.md"))
    assert (finding.code, finding.severity, finding.place) == ("OP002", "warning", "t.md:3:3")
    assert check_options(parse_command(f"{text}\n```python op=a\nx = 1\n```\n", "t.md")) == ()
