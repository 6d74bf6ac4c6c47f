from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmdpack.errors import ContentError, InputError
from cmdpack.manifest import Manifest, TriggerRule, WorkflowStep, read_manifest

FULL = """\
[pack]
name = "jax"
version = "1.0.0"
description = "JAX, shown"
license = "Apache-2.0"
requires = ["jax>=0.8.1"]

[catalogue]
jax-models = "cmdpack-jax-ml"

[teams]
jax = ["jax-pro", "systems-architect"]

[[triggers]]
agents = ["neural-networks-master"]
imports = ["flax"]
reason = "neural network models"

[workflows.development]
parameters = {file = "a program of yours"}
steps = [{run = "/jax-init"}, {run = "/jax-essentials --operation=jit", needs = [0]}]
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "manifest.toml"


def codes(path: Path) -> list[tuple[str, str]]:
    _, diagnostics = read_manifest(path)
    return [(found.code, found.place.removeprefix(f"{path}:")) for found in diagnostics]


def test_a_full_manifest_is_read(path: Path) -> None:
    path.write_text(FULL)
    manifest, diagnostics = read_manifest(path)
    assert diagnostics == ()
    assert (manifest.pack.name, manifest.pack.version) == ("jax", "1.0.0")
    assert manifest.pack.requires == ("jax>=0.8.1",)
    assert manifest.catalogue == {"jax-models": "cmdpack-jax-ml"}
    assert manifest.teams == {"jax": ("jax-pro", "systems-architect")}
    assert manifest.triggers == (
        TriggerRule(
            agents=("neural-networks-master",), imports=("flax",), reason="neural network models"
        ),
    )
    development = manifest.workflows["development"]
    assert development.parameters == {"file": "a program of yours"}
    assert development.steps == (
        WorkflowStep(run="/jax-init"),
        WorkflowStep(run="/jax-essentials --operation=jit", needs=(0,)),
    )


def test_an_empty_manifest_says_nothing(path: Path) -> None:
    path.write_text("")
    assert read_manifest(path) == (Manifest(), ())


def test_a_byte_order_mark_is_no_part_of_the_text(path: Path) -> None:
    path.write_bytes(b"\xef\xbb\xbf" + FULL.encode())
    assert read_manifest(path)[0].pack.name == "jax"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ('colour = "red"\n', "1:1"),
        ('[pack]\nname = "a"\n  colour = "red"\n', "3:3"),
        ("[colours]\nred = 1\n", "1:1"),
        ('[[triggers]]\nagents = []\n[[triggers]]\nagents = []\nimport = ["x"]\n', "5:1"),
        ('[workflows.w]\nsteps = [{run = "/a", need = [0]}]\n', "2:1"),
    ],
)
def test_an_unknown_key_is_named_at_its_place(path: Path, text: str, place: str) -> None:
    path.write_text(text)
    assert codes(path) == [("MF001", place)]


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("[pack]\nversion = 1.0\n", "2:1"),
        ('[pack]\nrequires = "jax"\n', "2:1"),
        ('pack = "jax"\n', "1:1"),
        ("[teams]\na = [1]\n", "2:1"),
        ("[catalogue]\n'a b' = 3\n", "2:1"),
        ("[[triggers]]\nimports = []\n", "1:1"),
        ('[triggers]\nagents = ["a"]\n', "1:1"),
        ("[workflows.w]\nsteps = [{needs = []}]\n", "2:1"),
        ('[workflows.w]\nsteps = [{run = "/a", needs = ["0"]}]\n', "2:1"),
    ],
)
def test_a_wrong_value_is_named_at_its_place(path: Path, text: str, place: str) -> None:
    path.write_text(text)
    assert codes(path)[0] == ("MF002", place)
    assert read_manifest(path)[0] == Manifest()


def test_what_is_right_is_kept_beside_what_is_wrong(path: Path) -> None:
    text = FULL.replace('"1.0.0"', "1.0").replace('agents = ["neural-networks-master"]\n', "")
    path.write_text(text)
    manifest, diagnostics = read_manifest(path)
    assert [found.code for found in diagnostics] == ["MF002", "MF002"]
    assert manifest.pack.version is None
    assert manifest.pack.name == "jax"
    assert manifest.triggers == ()
    assert list(manifest.workflows) == ["development"]


def test_a_step_is_never_left_out_alone(path: Path) -> None:
    path.write_text(FULL.replace('run = "/jax-init"', "run = 1"))
    manifest, [diagnostic] = read_manifest(path)
    assert manifest.workflows == {}
    assert "workflows.development is ignored" in diagnostic.message


def test_text_that_is_not_toml_stops_with_its_place(path: Path) -> None:
    path.write_text("[pack]\nname = jax\n")
    with pytest.raises(ContentError, match=r"manifest\.toml:2:8: the manifest is not TOML: "):
        read_manifest(path)


def test_text_that_is_not_utf8_stops_with_its_line(path: Path) -> None:
    path.write_bytes(b'[pack]\nname = "\xff"\n')
    with pytest.raises(ContentError, match=r"manifest\.toml:2:9: the manifest is not UTF-8"):
        read_manifest(path)


def test_a_nest_too_deep_is_no_crash(path: Path) -> None:
    path.write_text(f"a = {'[' * 100_000}")
    with pytest.raises(ContentError):
        read_manifest(path)


def test_a_manifest_that_is_not_there_cannot_be_read(path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: No such file"):
        read_manifest(path)


words = st.sampled_from(
    [
        "pack",
        "catalogue",
        "teams",
        "triggers",
        "workflows",
        "name",
        "version",
        "requires",
        "agents",
        "imports",
        "steps",
        "run",
        "needs",
        "parameters",
        "other",
    ]
)
values = st.recursive(
    st.integers() | st.booleans() | st.just("text"),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(words, inner, max_size=3),
    max_leaves=6,
)


def toml(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {toml(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    return f'"{value}"' if isinstance(value, str) else str(value).lower()


@given(st.dictionaries(words, values, max_size=5))
@settings(deadline=None, max_examples=200)
def test_whatever_the_types_a_manifest_comes_out(
    tmp_path_factory: pytest.TempPathFactory, data: dict[str, object]
) -> None:
    path = tmp_path_factory.getbasetemp() / "manifest.toml"
    path.write_text("".join(f"{key} = {toml(value)}\n" for key, value in data.items()))
    manifest, diagnostics = read_manifest(path)
    assert isinstance(manifest, Manifest)
    assert {found.code for found in diagnostics} <= {"MF001", "MF002"}
    assert ("other" in data) <= any("other is not a key" in found.message for found in diagnostics)
