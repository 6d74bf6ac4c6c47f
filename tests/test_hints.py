"""What the reader of options, slash-command lines and info strings promises."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmdpack.diagnostics import Diagnostic
from cmdpack.frontmatter import Fields, read_frontmatter
from cmdpack.hints import (
    OptionHint,
    merge_options,
    read_argument_hint,
    read_info,
    read_invocation,
    read_option_item,
    read_options_key,
)
from cmdpack.markdown import Item, read_document
from cmdpack.nouns import Span
from cmdpack.spec import Option

AB = ("a", "b")


def hints(text: str) -> list[tuple[str, str, tuple[str, ...], str | None]]:
    return [
        (hint.name, hint.kind, hint.choices, hint.metavar)
        for hint, _, _ in read_argument_hint(text)
    ]


class TestArgumentHint:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("[--x=a|b]", ("x", "choice", AB, None)),
            ("--x a|b", ("x", "choice", AB, None)),
            ("[--x a|b]", ("x", "choice", AB, None)),
            ("--x=<a|b>", ("x", "choice", AB, None)),
            ("--x=[a|b]", ("x", "choice", AB, None)),
            ('--x="a|b"', ("x", "choice", AB, None)),
            ("--x=a|b|...", ("x", "choice", AB, None)),
            ("--x=a|b|a", ("x", "choice", AB, None)),
            ("--x=<y z>", ("x", "value", (), "y z")),
            ("--x <y>", ("x", "value", (), "y")),
            ("[--x n]", ("x", "value", (), "n")),
            ("--x=N", ("x", "value", (), "N")),
            ("--x[=N]", ("x", "value", (), "N")),
            ("--x=<file>|auto", ("x", "value", (), "file")),
            ("[--x]", ("x", "flag", (), None)),
            ("--x", ("x", "flag", (), None)),
            ("--x=", ("x", "flag", (), None)),
            ("--x, more", ("x", "flag", (), None)),
            ("--x then some words", ("x", "flag", (), None)),
            ("--long-name_2", ("long-name_2", "flag", (), None)),
        ],
    )
    def test_forms(self, text: str, expected: tuple[object, ...]) -> None:
        assert hints(text) == [expected]

    @pytest.mark.parametrize(
        "text", ["", "<required>", "[optional]", "a--b", "-x", "--", "--- --1", "file.py"]
    )
    def test_no_options(self, text: str) -> None:
        assert hints(text) == []

    def test_alternatives_are_two_flags(self) -> None:
        assert [hint[0] for hint in hints("[--x|--y] <file>")] == ["x", "y"]

    def test_places(self) -> None:
        text = "<file> [--op=a|b] [--fast]"
        assert [text[start:end] for _, start, end in read_argument_hint(text)] == [
            "--op=a|b",
            "--fast",
        ]


def bullet(text: str) -> OptionHint | None:
    (item,) = read_document(f"- {text}\n", "x.md").blocks
    assert isinstance(item, Item)
    return read_option_item(item)


class TestOptionItem:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("`--x=<y>`: Pick (a, b)", ("choice", AB, None, "Pick (a, b)")),
            ("`--x=<y>`: Pick (a|b).", ("choice", AB, None, "Pick (a|b).")),
            ("`--x=<y>` - Pick (`a`, `b`)", ("choice", AB, None, "Pick (a, b)")),
            ("`--x=a|b` \u2014 Pick", ("choice", AB, None, "Pick")),
            ("`-x, --x <y>`: Pick", ("value", (), "y", "Pick")),
            ("**`--x`**: Go", ("flag", (), None, "Go")),
            ("`--x`: Go (fast, far)", ("flag", (), None, "Go (fast, far)")),
            ("`--x=<n>`: Size (small is good)", ("value", (), "n", "Size (small is good)")),
            ("`--x=<n>`: Size (default 3)", ("value", (), "n", "Size (default 3)")),
            ("--x: Go", ("flag", (), None, "Go")),
            ("--x=a|b - Pick", ("choice", AB, None, "Pick")),
            ("`--x`", ("flag", (), None, "")),
        ],
    )
    def test_forms(self, text: str, expected: tuple[object, ...]) -> None:
        hint = bullet(text)
        assert hint is not None
        assert (hint.name, hint.where) == ("x", "list")
        assert (hint.kind, hint.choices, hint.metavar, hint.help) == expected

    @pytest.mark.parametrize("text", ["words", "`x`: y", "see `--x`", "the --x: y", "`-x`: y"])
    def test_other_bullets(self, text: str) -> None:
        assert bullet(text) is None

    def test_span_is_that_of_the_code(self) -> None:
        hint = bullet("**`--x`**: Go")
        assert hint is not None
        assert hint.span == Span(line=1, column=5, end_line=1, end_column=10)


def options_key(text: str) -> tuple[list[OptionHint], list[Diagnostic]]:
    fields, findings = read_frontmatter(text.split("\n"), 2, "x.md")
    assert findings == ()
    assert isinstance(fields, Fields)
    return read_options_key(fields, "x.md")


class TestOptionsKey:
    def test_everything_that_can_be_said(self) -> None:
        (first, second, third, fourth), findings = options_key(
            "operation: {choices: [jit, grad], default: all, help: the operation}\n"
            "size:\n  metavar: N\n  default: 3\n"
            "check: {help: look, env: {JAX_CHECK_TRACER_LEAKS: '1'}}\n"
            "fast:"
        )
        assert findings == []
        assert (first.kind, first.choices, first.default, first.help) == (
            "choice",
            ("jit", "grad"),
            "all",
            "the operation",
        )
        assert (second.kind, second.metavar, second.default) == ("value", "N", "3")
        assert (third.kind, third.env) == ("flag", {"JAX_CHECK_TRACER_LEAKS": "1"})
        assert (fourth.name, fourth.kind) == ("fast", "flag")
        assert fourth.span == Span(line=7, column=1, end_line=7, end_column=5)

    @pytest.mark.parametrize(
        "text", ["x: {choices: 'a, b'}", "x: {choices: a|b}", "--x: {choices: [a, b]}"]
    )
    def test_choices_as_text(self, text: str) -> None:
        ((hint,), findings) = options_key(text)
        assert (hint.name, hint.choices, findings) == ("x", AB, [])

    @pytest.mark.parametrize(
        ("text", "place"),
        [
            ("x: {chioces: [a]}", "x.md:2:5"),
            ("x: {help: [a]}", "x.md:2:5"),
            ("x: {env: a}", "x.md:2:5"),
            ("x: {choices: {a: b}}", "x.md:2:5"),
            ("x: {choices: []}", "x.md:2:5"),
            ("x: {choices: [a], default: c}", "x.md:2:1"),
            ("x: some text", "x.md:2:4"),
            ("x: [a, b]", "x.md:2:4"),
            ("'1 2': {help: a}", "x.md:2:1"),
        ],
    )
    def test_what_cannot_be_read_is_told(self, text: str, place: str) -> None:
        _, (finding,) = options_key(text)
        assert (finding.code, finding.severity, finding.place) == ("OP002", "warning", place)


def hint(where: str, kind: str, *choices: str, line: int = 1, **rest: str) -> OptionHint:
    span = Span(line=line, column=1, end_line=line, end_column=2)
    return OptionHint("x", where, span, kind, choices, **rest)  # type: ignore[arg-type]


def merge(*group: OptionHint) -> tuple[Option, list[str]]:
    (option,), findings = merge_options(group, "x.md")
    return option, [finding.code for finding in findings]


class TestMerge:
    def test_the_first_that_knows_more_than_a_flag_decides(self) -> None:
        option, findings = merge(
            hint("argument-hint", "flag"), hint("list", "choice", "a", "b", line=2, help="h")
        )
        assert (option.kind, option.choices, option.help, findings) == ("choice", AB, "h", [])
        assert [(d.where, d.span.line) for d in option.declared] == [
            ("argument-hint", 1),
            ("list", 2),
        ]

    def test_choices_go_before_a_value(self) -> None:
        option, findings = merge(
            hint("argument-hint", "value", metavar="y"), hint("list", "choice", "a", "b")
        )
        assert (option.kind, option.metavar, findings) == ("choice", None, [])

    def test_the_frontmatters_options_decide_alone(self) -> None:
        option, findings = merge(
            hint("options", "flag"),
            hint("argument-hint", "choice", "a", "b"),
            hint("list", "value", help="h"),
        )
        assert (option.kind, option.choices, option.help, findings) == ("flag", (), "h", [])

    def test_disagreement_is_told_at_the_one_that_does_not_count(self) -> None:
        options, (finding,) = merge_options(
            [hint("options", "choice", "a", "b"), hint("list", "choice", "a", "c", line=9)], "x.md"
        )
        assert options[0].choices == AB
        assert (finding.code, finding.severity, finding.span.line) == ("OP001", "warning", 9)
        assert "a, c" in finding.message
        assert "a, b" in finding.message

    def test_order_and_all_do_not_disagree(self) -> None:
        _, findings = merge(
            hint("argument-hint", "choice", "a", "b"), hint("list", "choice", "b", "a", "all")
        )
        assert findings == []


class TestInvocation:
    @pytest.mark.parametrize(
        ("text", "command", "options", "positionals"),
        [
            ("/a", "a", {}, ()),
            ("/jax-init --x=1 --y", "jax-init", {"x": "1", "y": None}, ()),
            ("/opt file.py dir/ --x=a=b", "opt", {"x": "a=b"}, ("file.py", "dir/")),
            ("/ns:cmd [options]", "ns:cmd", {}, ("[options]",)),
            ("$ /a -v", "a", {"v": None}, ()),
            ("/a --x='b c' \"d e\"", "a", {"x": "b c"}, ("d e",)),
            ("/a --x= ''", "a", {"x": ""}, ("",)),
            ("/a it's --x", "a", {"x": None}, ("it's",)),
            ('/a "open --x', "a", {"x": None}, ('"open',)),
            ("/a -- -1 -", "a", {}, ("--", "-1", "-")),
            ("/a --x=1 --x=2", "a", {"x": "2"}, ()),
            ("/a $(rm -rf /) `x` ;", "a", {"rf": None}, ("$(rm", "/)", "`x`", ";")),
        ],
    )
    def test_arguments(
        self,
        text: str,
        command: str,
        options: dict[str, str | None],
        positionals: tuple[str, ...],
    ) -> None:
        read = read_invocation(text, 1, 1)
        assert read is not None
        invocation, comment = read
        assert (invocation.command, invocation.options, invocation.positionals, comment) == (
            command,
            options,
            positionals,
            "",
        )

    @pytest.mark.parametrize(
        "text",
        [
            *("", "# /a", "/usr/bin/env", "cd /tmp", "/", "//", "/ a", "/1", "http://x", "a /b"),
            "/a " + "x" * 10_001,
        ],
    )
    def test_no_invocation(self, text: str) -> None:
        assert read_invocation(text, 1, 1) is None

    def test_span_leaves_comment_and_blanks_out(self) -> None:
        read = read_invocation("  /a --x  é   # why #2", 7, 3)
        assert read is not None
        invocation, comment = read
        assert (invocation.text, comment) == ("/a --x  é", "why #2")
        assert invocation.span == Span(line=7, column=5, end_line=7, end_column=14)

    def test_hash_inside_a_word_is_no_comment(self) -> None:
        read = read_invocation("/a b#c", 1, 1)
        assert read is not None
        assert read[0].positionals == ("b#c",)


def option(name: str, *choices: str) -> Option:
    return Option(name=name, kind="choice" if choices else "flag", choices=choices, declared=())


OPTIONS = (option("operation", "jit", "grad"), option("fast"))


class TestInfo:
    @pytest.mark.parametrize(
        ("info", "language"),
        [
            *(("", ""), ("Python", "python"), ("python3 x.py", "python3"), ("{.python}", "python")),
            *(("{python}", "python"), ("python{1,6}", "python"), ("c++", "c++"), ("c#", "c#")),
            *(("python,ignore", "python"), (":setup", ""), ("!!", "")),
        ],
    )
    def test_language(self, info: str, language: str) -> None:
        assert read_info(info, ()).language == language

    def test_words_that_name_options_select(self) -> None:
        info = read_info("python operation=grad|jit fast", OPTIONS)
        assert [(c.option, c.choices) for c in info.conditions] == [
            ("operation", ("grad", "jit")),
            ("fast", ()),
        ]
        assert info.problems == ()

    def test_all_is_always_a_choice(self) -> None:
        assert read_info("python operation=all", OPTIONS).problems == ()

    def test_words_with_a_colon_direct_the_runner(self) -> None:
        info = read_info(
            "python :setup :expect-error=TypeError :devices=8 :timeout=1.5 :name=train "
            ":requires=flax,optax :parameters :no-run",
            (),
        )
        assert info.directives == {
            "setup": None,
            "expect-error": "TypeError",
            "devices": "8",
            "timeout": "1.5",
            "name": "train",
            "requires": "flax,optax",
            "parameters": None,
            "no-run": None,
        }
        assert info.problems == ()

    @pytest.mark.parametrize(
        "word",
        [
            *(":stup", ":setup=1", ":devices", ":devices=many", ":devices=0", ":timeout=soon"),
            *(":expect-error", ":", "operation=grda", "fast=1", "grad", "op=grad"),
        ],
    )
    def test_what_is_not_understood_is_a_problem_of_python_fences_only(self, word: str) -> None:
        info = read_info(f"python {word}", OPTIONS)
        assert [problem[0] for problem in info.problems] == [word]
        assert info.directives == {}
        assert read_info(f"ruby {word}", OPTIONS).problems == ()

    @pytest.mark.parametrize(
        "word",
        [
            *(
                'title="a b"',
                "{1, 6}",
                "theme={null}",
                "server.py",
                "showLineNumbers",
                "linenums=1",
            ),
            *("{.class #id}", "src/x", "file=x", "copy"),
        ],
    )
    def test_words_for_renderers_are_left_alone(self, word: str) -> None:
        info = read_info(f"python {word}", OPTIONS)
        assert (info.conditions, info.directives, info.problems) == ((), {}, ())


_TEXT = st.lists(
    st.sampled_from(
        [
            *("--x", "=", "|", "a", " ", "<", ">", "[", "]", '"', "'", "#", "/a", "{", "}", ":"),
            *("(", ")", ",", "-", "\t", "é", "\x00"),
        ]
    ),
    max_size=30,
).map("".join)


@settings(deadline=None, max_examples=300)
@given(_TEXT)
def test_any_text_is_read(text: str) -> None:
    for found, start, end in read_argument_hint(text):
        assert text[start:end].startswith(f"--{found.name}")
    read = read_invocation(f"/a {text}", 1, 1)
    assert read is not None
    invocation = read[0]
    assert f"/a {text}".startswith(invocation.text)
    assert invocation.span.end_column == len(invocation.text) + 1
    assert set(read_info(text, OPTIONS).directives) <= {"setup", "parameters", "no-run"}


def test_hostile_text_is_read_in_time() -> None:
    for text in (
        "--x " * 50_000,
        '"' * 200_001,
        "'\"" * 100_000,
        "{" * 200_000,
        "--x=" + "<" * 100_000,
    ):
        assert read_invocation(text, 1, 1) is None
        assert len(list(read_argument_hint(text))) <= 50_000
        assert read_info(text, OPTIONS).directives == {}
