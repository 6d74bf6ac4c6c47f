"""``cmdpack devices``, and the platforms of ``cmdpack run``, as a user types them."""

import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path

import pytest

from cmdpack.devices import DeviceReport
from cmdpack.interpreters import choose
from cmdpack.result import RunResult

pytest.importorskip("jax")

Cli = Callable[..., subprocess.CompletedProcess[str]]
Write = Callable[..., Path]

CODE = """
import jax
import numpy as np
from jax.sharding import PartitionSpec as P
mesh = jax.make_mesh((jax.device_count(),), ("i",), (jax.sharding.AxisType.Auto,))
rows = np.arange(8.0)
dealt = jax.device_put(rows, jax.sharding.NamedSharding(mesh, P("i")))
print(float(dealt.sum()))
"""


def test_emulated_devices_are_listed(cmdpack: Cli) -> None:
    done = cmdpack("devices", "--emulate", "3")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[:4] == [
        "ID  PLATFORM  KIND",
        "0   cpu       cpu",
        "1   cpu       cpu",
        "2   cpu       cpu",
    ]
    assert lines[4].startswith("jax ")


def test_json_is_one_document_of_the_schema(cmdpack: Cli) -> None:
    done = cmdpack("devices", "--json", "--platform", "cpu")
    assert (done.returncode, done.stderr) == (0, "")
    report = DeviceReport.model_validate_json(done.stdout)
    assert (report.platform, len(report.devices)) == ("cpu", 1)
    assert report.python.chosen_because == "the Python that runs cmdpack"


def test_a_run_really_uses_the_devices_that_it_emulates(cmdpack: Cli, command_file: Write) -> None:
    words = ("run", "--sandbox", "off", "--json", "--emulate", "8", command_file(CODE))
    done = cmdpack(*words, env={"XLA_FLAGS": "--xla_force_host_platform_device_count=2"})
    result = RunResult.model_validate_json(done.stdout)
    assert (result.outcome, result.platform, result.device_count) == ("ok", "cpu", 8)
    assert len(result.evidence.devices_used) == 8
    assert [note.code for note in result.notes] == []


@pytest.fixture(scope="module")
def cpu_only() -> None:
    """Skip where this JAX has more than the CPU."""
    if choose(sys.executable, {}, ()).python.accelerators:
        pytest.skip("this JAX has an accelerator")


@pytest.fixture(params=["devices", "run"])
def verb(request: pytest.FixtureRequest, command_file: Write) -> Callable[..., list[str]]:
    """The words of a verb that starts JAX, with some flags."""
    if request.param == "devices":
        return lambda *flags: ["devices", *flags]
    path = str(command_file(CODE))
    return lambda *flags: ["run", "--sandbox", "off", *flags, path]


@pytest.mark.usefixtures("cpu_only")
@pytest.mark.parametrize(
    ("flags", "code", "said"),
    [
        (["--platform", "cuda"], 1, "asked for --platform cuda, but the JAX of this Python has"),
        (["--platform", "gpu"], 1, "asked for --platform gpu, but the JAX of this Python has"),
        (["--platform", "tpu"], 1, "install jax[tpu] there, or name one of these"),
        (["--platform", "rocm"], 1, "install jax[rocm7-local] there, or name one of these"),
        (["--emulate", "2", "--platform", "cuda"], 2, "--emulate makes CPU devices, --platform"),
    ],
)
def test_a_platform_that_is_not_there(
    cmdpack: Cli, verb: Callable[..., list[str]], flags: list[str], code: int, said: str
) -> None:
    done = cmdpack(*verb(*flags))
    assert (done.returncode, done.stdout) == (code, "")
    assert done.stderr.count("error: ") == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("env", "said"),
    [
        ({"XLA_FLAGS": "--xla_nope=1"}, "XLA_FLAGS holds what this jaxlib does not know: --xla_no"),
        ({"JAX_PLATFORMS": "abacus"}, "JAX cannot start abacus; the JAX of "),
    ],
)
def test_settings_that_jax_cannot_start_with(
    cmdpack: Cli, verb: Callable[..., list[str]], env: dict[str, str], said: str
) -> None:
    done = cmdpack(*verb(), env=env)
    assert done.returncode == 1
    written = done.stdout + done.stderr
    assert written.count(said) == 1
    assert "Traceback" not in written
    assert "XLA_FLAGS" in written or "--platform" in written  # the next step


@pytest.mark.usefixtures("cpu_only")
def test_a_fall_back_to_the_cpu_is_labelled(cmdpack: Cli, verb: Callable[..., list[str]]) -> None:
    done = cmdpack(*verb(), env={"JAX_PLATFORMS": "cuda,cpu"})
    assert done.returncode == 0
    notes = [it for it in (done.stdout + done.stderr).splitlines() if it.startswith("note: ")]
    assert notes == [
        "note: JAX fell back to the CPU in spite of JAX_PLATFORMS=cuda,cpu: it could not start cuda"
    ]


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment without JAX."""
    folder = tmp_path_factory.mktemp("environments") / "bare"
    venv.create(folder, with_pip=False, symlinks=True)
    return folder


def test_without_jax_one_sentence_says_what_to_install(cmdpack: Cli, bare: Path) -> None:
    done = cmdpack("run", "--python", bare, "jax-essentials")
    assert (done.returncode, done.stdout) == (1, "")
    python = bare / "bin" / "python"
    assert done.stderr == (
        f"error: the examples of jax-essentials need JAX, and {python} (--python) has none: "
        f"`{python} -m pip install jax`, or name a Python that has it with --python\n"
    )
    done = cmdpack("devices", "--python", bare)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"{python} -m pip install jax" in done.stderr
    assert "Traceback" not in done.stderr


def test_without_jax_other_examples_run(cmdpack: Cli, bare: Path, command_file: Write) -> None:
    path = command_file("import sys\nprint(sys.executable)")
    done = cmdpack("run", "--sandbox", "off", "--json", "--python", bare, path)
    result = RunResult.model_validate_json(done.stdout)
    assert (done.returncode, result.outcome, result.platform) == (0, "ok", None)
    assert result.units[1].printed[0].text == f"{bare}/bin/python\n"
    assert result.versions == {}


@pytest.mark.parametrize("words", [["list"], ["show", "jax-essentials"], ["plugins"]])
def test_what_runs_no_code_needs_no_jax(
    surroundings: dict[str, str], tmp_path: Path, words: list[str]
) -> None:
    for name in ("jax", "jaxlib", "numpy"):
        (tmp_path / f"{name}.py").write_text("raise ImportError('there is none')")
    done = subprocess.run(
        [sys.executable, "-m", "cmdpack", *words],
        env={**surroundings, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "cmdpack" in done.stdout or "jax" in done.stdout
