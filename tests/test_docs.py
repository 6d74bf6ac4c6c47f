"""The documents: what they show is run, what they link to exists, what they name is there."""

import re
import runpy
from pathlib import Path
from typing import Any

import pytest

from cmdpack.cli.app import VERBS
from cmdpack.diagnostics import CODES
from cmdpack.errors import ExitCode

ROOT = Path(__file__).parents[1]
TOOL = runpy.run_path(str(ROOT / "tools" / "docs.py"))
TEXTS = {path: path.read_text(encoding="utf-8") for path in TOOL["documents"]()}
# A line that two documents show is run once, unless it is about a file that one of them has.
LINES = {
    (shown.line, str(files)): (path, shown, files, TOOL["installs_in"](text))
    for path, text in TEXTS.items()
    for files in [TOOL["files_in"](text)]
    for shown in TOOL["commands_in"](text)
}


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.mark.parametrize(
    ("path", "shown", "files", "plugins"),
    LINES.values(),
    ids=[f"{path.stem}-{shown.line}" for path, shown, *_ in LINES.values()],
)
def test_every_command_that_a_document_shows_does_what_it_says(
    *,
    path: Path,
    shown: Any,
    files: dict[str, str],
    plugins: list[str],
    tmp_path: Path,
    cache: Path,
) -> None:
    done = TOOL["run"](shown.line, files, tmp_path, cache, plugins)
    if done.returncode == ExitCode.NO_SANDBOX != shown.exit_code:
        pytest.skip(f"no full sandbox: {done.stdout}")
    assert done.returncode == shown.exit_code, f"{path.name} shows it\n{done.stdout}"
    assert "Traceback (most recent call last)" not in done.stdout


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_lead_somewhere(path: Path) -> None:
    prose = re.sub(r"^(`{3,}).*?^\1$", "", TEXTS[path], flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", prose):
        name, _, anchor = target.partition("#")
        found = path.parent / name if name else path
        assert found.exists(), target
        if anchor and found.suffix == ".md":
            titles = re.findall(r"^#+ (.+)$", found.read_text(encoding="utf-8"), re.MULTILINE)
            anchors = {re.sub(r"[^\w -]", "", t.lower()).replace(" ", "-") for t in titles}
            assert anchor in anchors, target


def test_every_document_is_in_the_contents() -> None:
    index = ROOT / "docs" / "index.md"
    decisions = ROOT / "docs" / "adr" / "0000-index.md"
    linked = {
        (document.parent / target.partition("#")[0]).resolve()
        for document in (index, decisions)
        for target in re.findall(r"\]\(([^)\s]+)\)", TEXTS[document])
    }
    assert set(TEXTS) - linked - {index, ROOT / "README.md"} == set()


def test_every_verb_and_every_diagnostic_has_its_place() -> None:
    cli = TEXTS[ROOT / "docs" / "cli.md"]
    assert [verb for verb in VERBS if f"\n## {verb}\n" not in cli] == []
    diagnostics = TEXTS[ROOT / "docs" / "diagnostics.md"]
    assert [code for code in CODES if f"| `{code}` |" not in diagnostics] == []


def test_the_readme_has_the_two_commands_on_one_line_each() -> None:
    found = re.findall(
        r"^```sh (\w+)\n(.*?)^```$", TEXTS[ROOT / "README.md"], re.MULTILINE | re.DOTALL
    )
    assert [name for name, _ in found] == ["run", "test"]
    assert all(text.count("\n") == 1 for _, text in found)
    assert found[0][1].rstrip().endswith("cmdpack run jax-essentials")


def test_commands_and_files_of_a_document_are_found() -> None:
    text = (
        "```console\n$ cmdpack run x.md  # exit code 4\nerror: no\n$ cmdpack list\n$ ls\n```\n"
        "```text\n$ cmdpack never\n```\n"
        "````markdown file=x.md\n# X\n\n```python\n1\n```\n````\n"
    )
    assert [tuple(it) for it in TOOL["commands_in"](text)] == [
        ("cmdpack run x.md", 4),
        ("cmdpack list", 0),
    ]
    assert TOOL["files_in"](text) == {"x.md": "# X\n\n```python\n1\n```\n"}


def test_a_command_that_does_not_do_what_is_shown_is_noticed(tmp_path: Path) -> None:
    done = TOOL["run"]("cmdpack run nothing.md", {}, tmp_path, tmp_path / "cache")
    assert done.returncode != 0
