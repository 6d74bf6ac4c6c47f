"""What parsing a command file promises, on files of the kinds that exist."""

import hashlib
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmdpack.errors import InputError
from cmdpack.markdown import split_lines
from cmdpack.nouns import Noun, Span
from cmdpack.parse import LARGEST_FILE, parse_command, read_command
from cmdpack.spec import CommandSpec


def parse(text: str) -> CommandSpec:
    return parse_command(text, "dir/some-name.md")


def place(span: Span) -> tuple[int, int, int, int]:
    return span.line, span.column, span.end_line, span.end_column


def codes(spec: CommandSpec) -> list[str]:
    return [finding.code for finding in spec.diagnostics]


class TestStandIn:
    """A file of the shape that circulates, with nothing added by its author for our sake."""

    @pytest.fixture
    def spec(self, stand_in: Path) -> CommandSpec:
        return read_command(stand_in)

    def test_frontmatter(self, spec: CommandSpec) -> None:
        assert (spec.name, spec.title, spec.version, spec.engine, spec.target) == (
            "stand-in",
            "Signal Filters",
            "2.0",
            "examples",
            None,
        )
        assert spec.tags == ("jax", "filters", "convolution", "signal-processing")
        keys = {key.name: key for key in spec.keys}
        assert len(keys) == 13
        assert place(keys["argument-hint"].span) == (6, 1, 6, 14)
        assert place(keys["tags"].value_span) == (9, 7, 9, 51)
        assert keys["related"].value == ("signal-speed", "signal-debug", "spectrum")

    def test_names(self, spec: CommandSpec) -> None:
        ((dependency,), related, labels) = spec.dependencies, spec.related, spec.workflow_labels
        assert (dependency.name, place(dependency.span)) == ("signal-init", (10, 16, 10, 27))
        assert [name.name for name in related] == ["signal-speed", "signal-debug", "spectrum"]
        assert place(labels[2].span) == (12, 42, 12, 59)

    def test_options(self, spec: CommandSpec) -> None:
        assert [(option.name, option.kind) for option in spec.options] == [
            ("filter", "choice"),
            ("second-order", "flag"),
            ("fixed-taps", "flag"),
            ("sensors", "flag"),
            ("agents", "choice"),
            ("coordinate", "flag"),
            ("adaptive", "flag"),
            ("explore", "flag"),
        ]
        assert spec.options[0].choices == ("smooth", "tune", "batch", "spread")
        assert spec.options[4].choices == ("auto", "dsp", "physics", "audio", "review", "all")
        assert spec.options[1].help == "Also show curvature of the loss"
        assert [(d.where, place(d.span)) for d in spec.options[0].declared] == [
            ("argument-hint", (6, 18, 6, 51)),
            ("list", (42, 3, 42, 20)),
        ]

    def test_examples(self, spec: CommandSpec) -> None:
        assert len(spec.examples) == 13
        (python,) = (example for example in spec.examples if example.runnable)
        assert (python.id, python.line, place(python.span)) == ("e5", 132, (131, 1, 222, 4))
        assert (python.heading, python.heading_span and python.heading_span.line) == (
            "Example output",
            129,
        )
        nested = spec.examples[3]
        assert (nested.language, nested.code) == (
            "console",
            "$ /signal-filters --filter=tune\n",
        )
        assert (nested.line, nested.prefixes, place(nested.span)) == (126, (3,), (125, 4, 127, 7))

    def test_sections(self, spec: CommandSpec) -> None:
        assert [(s.id, s.title, s.kind, place(s.span)) for s in spec.sections] == [
            ("s1", "Example output", "setup", (132, 1, 138, 24)),
            ("s2", "SMOOTHING", "banner", (140, 1, 154, 18)),
            ("s3", "TUNING", "banner", (156, 1, 165, 32)),
            ("s4", "CHANNELS (BATCH)", "banner", (167, 1, 178, 4)),
            ("s5", "SENSOR ARRAYS (SPREAD)", "banner", (180, 1, 192, 77)),
            ("s6", "ALL TOGETHER", "banner", (194, 1, 221, 15)),
        ]

    def test_workflows(self, spec: CommandSpec) -> None:
        assert [(workflow.name, len(workflow.steps)) for workflow in spec.workflows] == [
            ("design-a-filter", 4),
            ("tune-on-recordings", 2),
            ("speed-up", 2),
            ("review-a-study", 2),
            ("arrays-of-sensors", 2),
            ("learning-path", 2),
            ("debugging", 2),
            ("pipeline", 2),
        ]
        step = spec.workflows[1].steps[1]
        assert (step.invocation.command, step.invocation.positionals, step.needs) == (
            "spectrum",
            ("recording.wav",),
            (0,),
        )
        assert step.invocation.options == {"window": "hann"}
        assert place(step.invocation.span) == (247, 1, 247, 38)
        assert [usage.span.line for usage in spec.usage] == [25, 28, 31, 37, 126]

    def test_related_groups(self, spec: CommandSpec) -> None:
        assert [(group.title, len(group.commands)) for group in spec.related_groups] == [
            ("Before", 1),
            ("Core", 2),
            ("Elsewhere", 1),
            ("After", 1),
        ]
        elsewhere = spec.related_groups[2].commands[0]
        assert elsewhere.invocation.options == {"window": "hann"}
        assert (elsewhere.text, place(elsewhere.invocation.span)) == (
            "Look at spectra",
            (279, 4, 279, 27),
        )

    def test_agents_teams_and_triggers(self, spec: CommandSpec) -> None:
        assert len(spec.agents) == 12
        assert (spec.agents[3].name, spec.agents[3].role) == (
            "wave-physicist",
            "Waves in air and water",
        )
        assert [(team.name, len(team.members)) for team in spec.teams] == [
            ("auto", 0),
            ("dsp", 3),
            ("physics", 2),
            ("audio", 2),
            ("review", 2),
            ("all", 0),
        ]
        assert [len(trigger.agents) for trigger in spec.triggers] == [2, 3, 2, 2, 2]
        assert (spec.triggers[0].pattern, place(spec.triggers[0].span)) == (
            "Convolution code",
            (58, 1, 58, 52),
        )

    def test_nothing_is_wrong_with_its_form(self, spec: CommandSpec) -> None:
        assert spec.diagnostics == ()

    def test_windows_line_ends_and_a_bom_change_nothing_but_the_source(
        self, spec: CommandSpec, stand_in: Path, tmp_path: Path
    ) -> None:
        content = b"\xef\xbb\xbf" + stand_in.read_bytes().replace(b"\n", b"\r\n")
        copy = tmp_path / stand_in.name
        copy.write_bytes(content)
        again = read_command(copy)
        assert again.source == stand_in.read_text(encoding="utf-8").replace("\n", "\r\n")
        assert again.digest == hashlib.sha256(content).hexdigest()
        same = {"path": spec.path, "digest": spec.digest, "source": spec.source}
        assert again.model_copy(update=same) == spec


class TestTitleAndName:
    @pytest.mark.parametrize(
        ("text", "title"),
        [
            ("---\ntitle: T\nname: n\n---\n# H\n", "T"),
            ("---\nname: n\n---\n## no\n# H `x`\n", "H x"),
            ("---\nname: n\n---\ntext\n", "n"),
            ("text", "some-name"),
        ],
    )
    def test_title(self, text: str, title: str) -> None:
        assert parse(text).title == title

    def test_name_is_the_stem_or_the_one_given(self) -> None:
        assert parse("---\nname: other\n---\n").name == "some-name"
        assert parse_command("x", "a/b.c.md").name == "b.c"
        assert parse_command("x", "SKILL.md", name="skill").name == "skill"


class TestDeclarations:
    def test_frontmatter_options_come_first(self) -> None:
        spec = parse(
            "---\nargument-hint: '[--x=a|b] [--y]'\noptions:\n  x: {choices: [a, c], default: c}\n"
            "---\n## Options\n- `--x=<v>`: Help (a, b)\n- `--z=<n>`: Number\n"
        )
        (x, y, z) = spec.options
        assert (x.choices, x.default, x.help) == (("a", "c"), "c", "Help (a, b)")
        assert [declaration.where for declaration in x.declared] == [
            "options",
            "argument-hint",
            "list",
        ]
        assert (y.name, y.kind, z.name, z.metavar) == ("y", "flag", "z", "n")
        assert [(d.code, d.place) for d in spec.diagnostics] == [
            ("OP001", "dir/some-name.md:2:18"),
            ("OP001", "dir/some-name.md:7:3"),
        ]

    def test_unquoted_hint_is_read_all_the_same(self) -> None:
        spec = parse("---\nargument-hint: [--x=a|b] [--y]\n---\n")
        assert [(option.name, option.declared[0].span.column) for option in spec.options] == [
            ("x", 17),
            ("y", 27),
        ]
        assert codes(spec) == ["FM008"]

    def test_hint_that_is_a_list(self) -> None:
        spec = parse("---\nargument-hint: [--x=a|b]\n---\n")
        assert [(option.name, place(option.declared[0].span)) for option in spec.options] == [
            ("x", (2, 17, 2, 24))
        ]
        assert codes(spec) == ["FM005"]

    def test_engine_target_and_requires(self) -> None:
        spec = parse("---\nengine: observe\ntarget: file\nrequires: [optax, flax>=0.8]\n---\n")
        assert (spec.engine, spec.target, spec.requires) == (
            "observe",
            "file",
            ("optax", "flax>=0.8"),
        )

    def test_wrong_types_are_ignored(self) -> None:
        spec = parse("---\ntitle: [a]\ntags: {b: c}\noptions: d\nengine: {e: f}\n---\n")
        assert (spec.title, spec.tags, spec.options, spec.engine) == (
            "some-name",
            (),
            (),
            "examples",
        )
        assert codes(spec) == ["FM005"] * 4


class TestExamples:
    def test_words_of_the_info_string(self) -> None:
        spec = parse(
            "---\nargument-hint: '[--op=a|b] [--deep]'\n---\n"
            "```Python op=b deep :expect-error=TypeError :oops wrong\nx\n```\n"
        )
        (example,) = spec.examples
        assert example.language == "python"
        assert [(c.option, c.choices) for c in example.conditions] == [("op", ("b",)), ("deep", ())]
        assert example.directives == {"expect-error": "TypeError"}
        assert [(d.code, d.severity, place(d.span)) for d in spec.diagnostics] == [
            ("MD003", "note", (4, 45, 4, 50)),
            ("MD003", "note", (4, 51, 4, 56)),
        ]

    def test_without_banners_the_heading_names_the_section(self) -> None:
        spec = parse("## 2. Do it\n```python\n\nx = 1\n\n```\n```py\ny\n```\n")
        assert [(s.id, s.title, s.kind, s.example, place(s.span)) for s in spec.sections] == [
            ("s1", "Do it", "heading", "e1", (4, 1, 4, 6)),
            ("s2", "Do it", "heading", "e2", (8, 1, 8, 2)),
        ]

    def test_setup_directive_makes_setup(self) -> None:
        spec = parse("```python :setup\nx\n# === A ===\ny\n```\n```python :setup\nz\n```\n")
        assert [(section.title, section.kind) for section in spec.sections] == [
            ("Setup", "setup"),
            ("A", "setup"),
            ("Setup", "setup"),
        ]

    def test_comments_above_the_first_banner_are_no_section(self) -> None:
        spec = parse("```python\n# note\n\n# === A ===\nx\n```\n")
        assert [section.title for section in spec.sections] == ["A"]

    @pytest.mark.parametrize(
        "text", ["```bash\nx\n```", "```python :no-run\nx\n```", "```python\n\n```", "```python"]
    )
    def test_what_does_not_run_has_no_sections(self, text: str) -> None:
        assert parse(text).sections == ()

    def test_sections_inside_containers(self) -> None:
        spec = parse("> ```python\n> # === A ===\n>   x\n> ```\n")
        assert [place(section.span) for section in spec.sections] == [(2, 3, 3, 6)]


ODD = {
    "empty": ("", ["MD002"]),
    "no frontmatter": ("# T\n", ["FM003"]),
    "never closed": ("---\ntitle: x\n# T\n", ["FM002"]),
    "starts late": ("hm\n---\ntitle: x\n---\n", ["FM007"]),
    "unreadable": ("---\n[a\n---\n", ["FM001"]),
    "repaired": ("---\ntitle: a: b\n---\n", ["FM008"]),
    "no keys": ("---\n- a\n---\n", ["FM005"]),
    "duplicate": ("---\na: 1\na: 2\n---\n", ["FM004"]),
    "anchor": ("---\na: &x 1\n---\n", ["FM006"]),
    "open fence": ("---\n---\n```\n", ["MD001"]),
    "bad option": ("---\noptions: {'?': }\n---\n", ["OP002"]),
    "late and open": ("\n---\ntitle: x\n---\n```py\n", ["FM007", "MD001"]),
    "nul": ("---\ntitle: a\0b\n---\n", ["FM008"]),
    "surrogate": ("---\ntitle: \ud800\n---\n", ["FM008"]),
}


@pytest.mark.parametrize("case", ODD)
def test_odd_input_becomes_diagnostics_in_the_order_of_the_file(case: str) -> None:
    text, expected = ODD[case]
    spec = parse(text)
    assert codes(spec) == expected
    assert all(d.path == "dir/some-name.md" and d.help for d in spec.diagnostics)


def test_digest_is_that_of_the_text() -> None:
    assert parse("é").digest == hashlib.sha256("é".encode()).hexdigest()


class TestReadCommand:
    def refused(self, path: Path) -> InputError:
        with pytest.raises(InputError) as caught:
            read_command(path)
        assert caught.value.place is not None
        assert caught.value.place.startswith(str(path))
        assert caught.value.help
        return caught.value

    def test_missing(self, tmp_path: Path) -> None:
        assert self.refused(tmp_path / "a.md").message == "no such file"

    def test_dangling_link(self, tmp_path: Path) -> None:
        (tmp_path / "a.md").symlink_to(tmp_path / "b.md")
        assert self.refused(tmp_path / "a.md").message == "no such file"

    def test_directory(self, tmp_path: Path) -> None:
        assert self.refused(tmp_path).message == "this is a directory"

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="the system has no FIFOs")
    def test_fifo_is_not_waited_for(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "a.md")
        assert self.refused(tmp_path / "a.md").message == "this is not a regular file"

    @pytest.mark.skipif(not Path("/dev/zero").exists(), reason="the system has no /dev/zero")
    def test_device_is_not_read(self) -> None:
        assert self.refused(Path("/dev/zero")).message == "this is not a regular file"

    def test_file_as_a_folder(self, tmp_path: Path) -> None:
        (tmp_path / "a").write_text("x")
        assert "cannot be read" in self.refused(tmp_path / "a" / "b.md").message

    def test_path_that_cannot_be(self) -> None:
        assert "cannot be read" in self.refused(Path("a\0b")).message

    @pytest.mark.skipif(
        not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read every file"
    )
    def test_without_permission(self, tmp_path: Path) -> None:
        path = tmp_path / "a.md"
        path.write_text("x")
        path.chmod(0)
        assert "cannot be read: Permission denied" in self.refused(path).message

    def test_too_large(self, tmp_path: Path) -> None:
        path = tmp_path / "a.md"
        path.write_bytes(b"x" * (LARGEST_FILE * 2))
        assert self.refused(path).message == "the file has 10.0 MiB; a command file may have 5 MiB"

    def test_large_enough(self, tmp_path: Path) -> None:
        path = tmp_path / "a.md"
        path.write_bytes(b"x" * LARGEST_FILE)
        assert len(read_command(path).source) == LARGEST_FILE

    def test_nul(self, tmp_path: Path) -> None:
        path = tmp_path / "a.md"
        path.write_bytes(b"a\r\nb\nc\0")
        error = self.refused(path)
        assert (error.message, error.place) == ("this is not text: byte 6 is NUL", f"{path}:3:2")

    def test_other_encodings(self, tmp_path: Path) -> None:
        path = tmp_path / "a.md"
        path.write_bytes(b"a\n\nb\xe9c\n")
        error = self.refused(path)
        assert error.place == f"{path}:3:2"
        assert error.message.startswith("this is not UTF-8: byte 4 is 0xE9")
        path.write_bytes("# Title\n".encode("utf-16"))
        error = self.refused(path)
        assert (error.message, error.place) == ("this is UTF-16", f"{path}:1:1")

    def test_link_to_a_file_is_read(self, tmp_path: Path) -> None:
        (tmp_path / "b.md").write_text("# B\n")
        (tmp_path / "a.md").symlink_to(tmp_path / "b.md")
        assert (read_command(tmp_path / "a.md").name, read_command(tmp_path / "a.md").title) == (
            "a",
            "B",
        )


_LINES = st.sampled_from(
    [
        *(
            "---",
            "---",
            "title: x",
            "argument-hint: [--x=a|b] [--y]",
            "options: {x: {choices: [a]}}",
        ),
        *("options:", "  x:", "\ty: z", "dependencies: [a, b]", "tags: a, b", "a: &b c", "d: *b"),
        *("# Options", "## Related Commands", "### Agents", "# 1. T", "- `--x=<y>`: z (a, b)"),
        *("```python x=a :setup", "```", "~~~~bash", "~~~~", "  ```", "> ```py", "> x", "/a --b c"),
        *("/b", "# === A ===", "# ========", "# B", "x = 1", '"""', "**T**: h", "- `/a` - b", ""),
        *(
            "### **`a-b`** - c",
            "- **`a-b`**: c",
            "- w \u2192 a-b + c-d",
            "é \U0001f600",
            "\ufeff",
            "\ud800",
        ),
    ]
)
_COMMANDS = st.one_of(
    st.lists(_LINES, max_size=25).map("\n".join),
    st.lists(_LINES, max_size=15).map("\r\n".join),
    st.text(st.characters(), max_size=120),
)


def _spans(value: object) -> list[Span]:
    if isinstance(value, Span):
        return [value]
    if isinstance(value, Noun):
        return [span for name in type(value).model_fields for span in _spans(getattr(value, name))]
    return [span for item in value for span in _spans(item)] if isinstance(value, tuple) else []


@settings(deadline=None, max_examples=400)
@given(_COMMANDS)
def test_any_text_is_read_alike_each_time_and_every_span_lies_in_it(text: str) -> None:
    spec = parse(text)
    assert parse(text) == spec
    lines = split_lines(spec.source)
    for span in _spans(spec):
        assert (span.line, span.column) <= (span.end_line, span.end_column)
        for line, column in ((span.line, span.column), (span.end_line, span.end_column)):
            assert 1 <= column <= len(lines[line - 1]) + 1
    for example in spec.examples:
        for index, prefix in enumerate(example.prefixes):
            if prefix == 0:
                assert example.code.split("\n")[index] == lines[example.line - 1 + index]
    assert CommandSpec.model_validate_json(spec.model_dump_json()) == spec
