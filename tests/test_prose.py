"""What reading prose promises: known shapes are found, others are left alone."""

import pytest

from cmdpack.markdown import Document, read_document
from cmdpack.nouns import Span
from cmdpack.prose import (
    read_agents,
    read_option_list,
    read_related,
    read_triggers,
    read_workflows,
    slug,
)
from cmdpack.spec import Invocation, Workflow


def read(text: str) -> Document:
    return read_document(text, "x.md")


def workflows(text: str) -> tuple[tuple[Workflow, ...], tuple[Invocation, ...]]:
    return read_workflows([(fence, fence.info) for fence in read(text).fences])


class TestOptionList:
    @pytest.mark.parametrize(
        "heading", ["## Options", "# Command options:", "## Options\n### More"]
    )
    def test_bullets_under_the_heading(self, heading: str) -> None:
        hints = read_option_list(
            read(f"- `--no`\n\n{heading}\n- `--x`: y\n- words\n# Else\n- `--z`\n")
        )
        assert [hint.name for hint in hints] == ["x"]


class TestWorkflows:
    def test_two_commands_under_a_heading(self) -> None:
        found, usage = workflows(
            "# All\n## First & Second!\n```bash\n"
            "# 1. Begin\n# gently\n\n/a --x  # beside\nls -l\n/b\n# end\n```\n"
        )
        (workflow,) = found
        assert usage == ()
        assert (workflow.name, workflow.title, workflow.span.line) == (
            "first-second",
            "First & Second!",
            3,
        )
        assert [(s.invocation.text, s.needs, s.comment) for s in workflow.steps] == [
            ("/a --x", (), "1. Begin\ngently\nbeside"),
            ("/b", (0,), ""),
        ]
        assert workflow.steps[0].invocation.span == Span(line=7, column=1, end_line=7, end_column=7)

    @pytest.mark.parametrize("language", ["", "bash", "sh", "shell", "console", "zsh"])
    def test_languages_of_shells(self, language: str) -> None:
        assert len(workflows(f"# A\n```{language}\n/a\n/b\n```\n")[0]) == 1

    @pytest.mark.parametrize("language", ["python", "text", "markdown"])
    def test_other_languages_are_left_alone(self, language: str) -> None:
        assert workflows(f"# A\n```{language}\n/a\n/b\n```\n") == ((), ())

    @pytest.mark.parametrize("text", ["# A\n```\n/a\n/a --x\n```\n", "```\n/a\n/b\n```\n"])
    def test_one_command_or_no_heading_is_usage(self, text: str) -> None:
        found, usage = workflows(text)
        assert found == ()
        assert len(usage) == 2

    def test_names_are_unique(self) -> None:
        found, _ = workflows("# A\n```\n/a\n/b\n```\n```\n/a\n/c\n```\n# a!\n```\n/a\n/b\n```\n")
        assert [workflow.name for workflow in found] == ["a", "a-2", "a-3"]

    def test_spans_inside_containers(self) -> None:
        _, (usage,) = workflows("- x\n  ```\n  $ /a b\n  ```\n")
        assert usage.span == Span(line=3, column=5, end_line=3, end_column=9)


@pytest.mark.parametrize(
    ("title", "name"), [("A b_C", "a-b-c"), ("Über 2", "über-2"), ("!!", "workflow")]
)
def test_slug(title: str, name: str) -> None:
    assert slug(title) == name


class TestRelated:
    def test_groups(self) -> None:
        groups = read_related(
            read(
                "- `/no` - x\n\n## Related Commands\n**One**: first\n- `/a --x` - why\n- words\n"
                "- ``/b`` text\n\n**Empty**: nothing\n\n**Two**\n- `/c`\n\n## Else\n- `/d`\n"
            )
        )
        assert [(group.title, group.help) for group in groups] == [("One", "first"), ("Two", "")]
        assert [(c.invocation.text, c.text) for c in groups[0].commands] == [
            ("/a --x", "why"),
            ("/b", "text"),
        ]
        assert [c.invocation.span.column for c in groups[0].commands] == [4, 5]

    def test_bullets_without_a_title_take_the_headings(self) -> None:
        (first, second) = read_related(
            read("## Related commands:\n- `/a`\n### More\n- `/b`\n- `/c`\n")
        )
        assert (first.title, len(first.commands)) == ("Related commands:", 1)
        assert (second.title, len(second.commands)) == ("More", 2)


AGENTS = """\
# Agents
### **`lead-one`** - Leads
- **Strength**: many
### `plain`: Helps
### Others
- **`third`**: Thinks
- **`third`**: Twice
- `not-strong`: text
- **`Not a name`**: text
- **`no-role`**
### **`all`** - Everybody
- everyone
### **`team`** - A Team
- `third` (first)
- `lead-one`
- `third`
- Others
# Elsewhere
- **`stranger`**: not under agents
"""


class TestAgents:
    def test_headings_and_strong_bullets(self) -> None:
        agents, _ = read_agents(read(AGENTS), ("all", "team"))
        assert [(agent.name, agent.role, agent.span.line) for agent in agents] == [
            ("lead-one", "Leads", 2),
            ("plain", "Helps", 4),
            ("third", "Thinks", 6),
        ]

    def test_teams_are_headings_named_as_choices(self) -> None:
        _, teams = read_agents(read(AGENTS), ("all", "team", "absent"))
        assert [(team.name, team.title, team.members) for team in teams] == [
            ("all", "Everybody", ()),
            ("team", "A Team", ("third", "lead-one")),
        ]

    def test_without_choices_there_are_no_teams(self) -> None:
        assert read_agents(read(AGENTS), ())[1] == ()


class TestTriggers:
    def test_arrows_in_items_and_fences(self) -> None:
        triggers = read_triggers(
            read(
                "## Choosing agents\n- Fast code \u2192 `speed-expert` + jax\n\n"
                "```\n# A \u2192 B\n- Slow code -> slow-expert, other-one\nwords -> a-b\n```\n"
                "- a -> b -> c-d\n- words -> Words\n- go -> there\n- \u2192 a-b\n"
                "# Else\n- Other -> a-b\n"
            ),
            {"jax"},
        )
        assert [(t.pattern, t.agents) for t in triggers] == [
            ("Fast code", ("speed-expert", "jax")),
            ("Slow code", ("slow-expert", "other-one")),
        ]
        assert triggers[1].span == Span(line=6, column=1, end_line=6, end_column=38)
