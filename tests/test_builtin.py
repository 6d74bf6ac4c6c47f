"""Where the built-in pack is found, from copies of the package in the two places it can live."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import cmdpack

_SOURCE = Path(cmdpack.__file__).parent
_CODE = (
    "import json; from cmdpack import builtin; print(json.dumps(list(map(str, builtin.packs()))))"
)


def install(folder: Path) -> Path:
    """Copy what the built-in plugin needs into `folder`, as a package."""
    package = folder / "cmdpack"
    package.mkdir(parents=True)
    for name in ("__init__.py", "builtin.py", "hookspecs.py", "nouns.py"):
        shutil.copy(_SOURCE / name, package)
    return package


def packs(site: Path) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", _CODE],
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return list(json.loads(done.stdout))


def test_a_wheel_brings_its_pack_inside(tmp_path: Path) -> None:
    package = install(tmp_path / "site")
    (package / "_pack" / "commands").mkdir(parents=True)
    assert packs(tmp_path / "site") == [str(package / "_pack")]


def test_a_checkout_has_it_at_its_top(tmp_path: Path) -> None:
    install(tmp_path / "src")
    (tmp_path / "manifest.toml").write_text("")
    assert packs(tmp_path / "src") == [str(tmp_path)]


def test_a_stray_manifest_above_an_installed_package_is_no_pack(tmp_path: Path) -> None:
    install(tmp_path / "lib")
    (tmp_path / "manifest.toml").write_text("")
    assert packs(tmp_path / "lib") == []


def test_a_checkout_without_a_manifest_has_no_pack(tmp_path: Path) -> None:
    install(tmp_path / "src")
    assert packs(tmp_path / "src") == []
