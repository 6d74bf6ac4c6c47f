"""What a consent would be given to, as text."""

from pathlib import Path

from cmdpack.contents import Part, Text, of_run
from cmdpack.packs import origin_of_file
from cmdpack.parse import read_command
from cmdpack.plan import Command
from cmdpack.report import consents


def text_of(name: str, content: str) -> Text:
    return Text(Part(name=name, digest=str(hash(content))), content)


def changes(before: dict[str, str], *texts: Text) -> list[str]:
    return list(consents.changes(before, texts))


def test_only_what_would_run_of_what_is_not_installed(tmp_path: Path) -> None:
    quoted = "> ```python\n> a\n>\n> b\n> ```\n"
    text = f"# One\n\n```bash\nrm\n```\n\n{quoted}\n```python :no-run\nc\n```\n"
    (tmp_path / "one.md").write_text(text)
    spec = read_command(tmp_path / "one.md")
    own = Command(spec=spec, pack=origin_of_file(tmp_path / "one.md"))
    path = tmp_path / "one.md"
    assert list(consents.code([own])) == [
        f"{path}: 1 example, 3 lines of code",
        "     8  a",
        "     9",
        "    10  b",
        "",
    ]
    installed = own.pack.model_copy(update={"trust": "built-in", "source": "built-in"})
    other = own.model_copy(update={"pack": installed})
    assert list(consents.code([other])) == [f"{path}: 1 example, 3 lines of code, built-in"]
    assert len(list(consents.whole(of_run([own])))) == text.count("\n") + 2


def test_a_difference_names_each_file() -> None:
    old = {"same.md": "a\n", "changed.md": "a\nb\n", "gone.md": "x\n"}
    said = changes(
        old, text_of("same.md", "a\n"), text_of("changed.md", "a\nc\n"), text_of("new.md", "n\n")
    )
    assert said == [
        "same.md: unchanged",
        "changed.md: changed",
        *("  --- approved", "  +++ now", "  @@ -1,3 +1,3 @@", "   a", "  -b", "  +c", ""),
        *("new.md: new", "  +n", "gone.md: no longer a part"),
    ]


def test_line_ends_are_a_difference_that_is_seen() -> None:
    said = changes({"a.md": "x = 1\n"}, text_of("a.md", "x = 1\r\n"))
    assert "  +x = 1\\u000d" in said


def test_what_would_take_minutes_to_compare_is_shown_whole() -> None:
    lines = [f"{n % 50}" for n in range(100_000)]
    said = changes({"a.md": "\n".join(lines)}, text_of("a.md", "\n".join(reversed(lines))))
    assert said[1] == "  too long to compare; this is all of it:"
    assert len(said) == len(lines) + 2


def test_nothing_in_a_text_controls_the_terminal() -> None:
    evil = "\x1b[2J\u202e\x07\u200b\r"
    texts = [text_of(f"n{evil}.md", evil)]
    said = [*consents.whole(texts), *changes({f"n{evil}.md": "a", evil: "b"}, *texts)]
    assert not {*"\x1b\u202e\x07\u200b\r"} & {*"".join(said)}
