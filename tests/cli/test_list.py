import json
import os
from pathlib import Path

import pytest

from cmdpack.cli.app import run_app


@pytest.fixture
def pack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("COLUMNS", raising=False)
    folder = tmp_path / "fruit"
    folder.mkdir()
    (folder / "apple-pie.md").write_text(
        '---\ndescription: "how to bake\\e[31m a pie"\nversion: "2.0"\n---\n# Apple pie\n'
    )
    (folder / "plain.md").write_text("# Plain\n")
    return folder


def lines(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """Return the lines of the table by the names of their commands."""
    return {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}


def test_every_command_has_a_line(pack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_app(["list", "--pack", str(pack)]) == 0
    found = lines(capsys)
    assert found["NAME"].split() == ["NAME", "DESCRIPTION", "PACK", "FROM"]
    assert found["apple-pie"].split()[-3:] == ["fruit", "--pack", str(pack)]
    assert "how to bake\\u001b[31m a pie" in found["apple-pie"]
    assert "Plain" in found["plain"]


def test_a_narrow_terminal_cuts_descriptions(
    pack: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    run_app(["list", "--pack", str(pack)])
    assert "how to bake…" in lines(capsys)["apple-pie"]


def test_as_json(pack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_app(["list", "--json", "--pack", str(pack)]) == 0
    listing = json.loads(capsys.readouterr().out)
    [apple] = [it for it in listing["commands"] if it["name"] == "apple-pie"]
    assert apple == {
        "name": "apple-pie",
        "title": "Apple pie",
        "description": "how to bake\x1b[31m a pie",
        "version": "2.0",
        "path": str(pack / "apple-pie.md"),
        "pack": {
            "name": "fruit",
            "version": None,
            "path": str(pack),
            "trust": "user",
            "source": f"--pack {pack}",
        },
    }
    assert listing["diagnostics"] == listing["unreadable"] == []
    assert [it["origin"] for it in listing["packs"]][-1] == apple["pack"]


def test_what_a_manifest_says_is_in_the_json(
    pack: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (pack / "manifest.toml").write_text(
        '[teams]\npie = ["baker"]\n[[triggers]]\nagents = ["baker"]\nimports = ["flour"]\n'
        '[workflows.bake]\nsteps = [{run = "/apple-pie"}]\n'
    )
    assert run_app(["list", "--json", "--pack", str(pack)]) == 0
    manifest = json.loads(capsys.readouterr().out)["packs"][-1]["manifest"]
    assert manifest["teams"] == {"pie": ["baker"]}
    assert manifest["triggers"] == [{"agents": ["baker"], "imports": ["flour"], "reason": ""}]
    assert [step["run"] for step in manifest["workflows"]["bake"]["steps"]] == ["/apple-pie"]


def test_a_file_that_cannot_be_read_stops_no_other(
    pack: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (pack / "broken.md").write_bytes(b"\xff\xfe\xfd")
    assert run_app(["list", "--pack", str(pack)]) == 0
    out, err = capsys.readouterr()
    assert "apple-pie" in out
    assert err.startswith(f"note: {pack / 'broken.md'}")


def test_findings_of_the_manifest_are_notes(pack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (pack / "manifest.toml").write_text("colour = 1\n")
    (pack / os.fsdecode(b"\xff.md")).write_text("# odd\n")
    assert run_app(["list", "--pack", str(pack)]) == 0
    err = capsys.readouterr().err
    assert "warning[MF001]: colour is not a key that cmdpack knows" in err
    assert "warning[PK002]" in err
