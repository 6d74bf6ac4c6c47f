"""Every code that is documented is emitted, each by a real input."""

from pathlib import Path

import pytest

from cmdpack.declarations import check_options
from cmdpack.dependencies import check_dependencies
from cmdpack.diagnostics import CODES
from cmdpack.parse import parse_command
from cmdpack.plan import Command, PackOrigin
from cmdpack.plugins import Plugin, Plugins
from cmdpack.registry import Registry, load_registry

FENCE = "\n```python\nx = 1\n```\n"
FILES = {
    "FM001": "---\ndependencies: [a\n---\n",
    "FM002": "---\ntitle: x\n",
    "FM003": "# T\n",
    "FM004": "---\ntitle: x\ntitle: y\n---\n",
    "FM005": "---\ntitle: [x]\n---\n",
    "FM006": "---\ntitle: &x y\n---\n",
    "FM007": "\n\n---\ntitle: x\n---\n",
    "FM008": "---\ntitle: x: y\n---\n",
    "MD001": "---\ntitle: x\n---\n```python\nx = 1\n",
    "MD002": "",
    "MD003": "---\ntitle: x\n---\n```python wat\nx = 1\n```\n",
    "OP001": '---\nargument-hint: "--op=a|b"\noptions: {op: {choices: [a, c]}}\n---\n',
    "OP002": "---\noptions: {op: 3}\n---\n",
    "OP003": "---\ntitle: x\n---\n```bash\n/one --odd\n```\n",
    "RF001": "---\ndependencies: [numpy]\n---\n",
    "RF002": "---\ndependencies: [nobody-has-this]\n---\n",
}
PACKS = {
    "MF001": "odd = 1\n",
    "MF002": "[pack]\nname = 1\n",
    "PK001": "",
    "PK002": "",
    "PL001": "not TOML",
}
ELSEWHERE = {"PY001"}  # a Python's verdict, which stops a run: tests/cli/test_bad_input.py


@pytest.mark.parametrize("code", FILES)
def test_a_file_can_have_it(code: str) -> None:
    spec = parse_command(FILES[code], "one.md")
    origin = PackOrigin(name="p", path="one.md", trust="user", source="one.md")
    command = Command(spec=spec, pack=origin)
    references = check_dependencies(Registry(packs=()), command)
    assert code in {it.code for it in (*spec.diagnostics, *check_options(spec), *references)}


@pytest.mark.parametrize("code", PACKS)
def test_a_pack_can_have_it(code: str, tmp_path: Path) -> None:
    folder = tmp_path / "pack"
    folder.mkdir()
    (folder / "one.md").write_text(f"---\ntitle: x\n---\n{FENCE}")
    (folder / "manifest.toml").write_text(PACKS[code])
    (folder / "out.md").symlink_to("../elsewhere.md")
    (tmp_path / "elsewhere.md").write_text("# T\n")
    (folder / "\udcff.md").write_text("# T\n")
    plugin = Plugin(name="p", distribution="p", version="1", packs=(folder,))
    assert code in {it.code for it in load_registry(Plugins(loaded=(plugin,))).diagnostics}


def test_no_code_is_documented_in_vain() -> None:
    assert {*FILES, *PACKS, *ELSEWHERE} == {*CODES}
