"""Devices that do not start, and code for more of them than there are."""

from collections.abc import Callable
from typing import Any

import pytest

from cmdpack.result import Failure, Frame

Explain = Callable[..., Any]


def test_an_unknown_flag_of_xla_is_named(told: Explain) -> None:
    said = "F1122 17:00:00 12 parse_flags_from_env.cc:234] Unknown flag in XLA_FLAGS: --xla_nope"
    found = told(Failure(type="exit", message=said))
    assert found.kind == "device"
    assert found.cause == "XLA_FLAGS holds what this jaxlib does not know: --xla_nope"
    assert "XLA_FLAGS" in found.next_step


@pytest.mark.parametrize(
    ("type_", "message"),
    [
        ("RuntimeError", "Unable to initialize backend 'cuda': no device"),
        ("RuntimeError", "Unknown backend: 'wat' requested"),
        ("AssertionError", ""),
    ],
)
def test_a_platform_that_jax_cannot_start(type_: str, message: str, told: Explain) -> None:
    frame = Frame(file="/jax/_src/xla_bridge.py", line=1, function="backends", origin="jax")
    failure = Failure(type=type_, message=message, frames=(frame,))
    found = told(failure, platform="cuda")
    assert found.kind == "device"
    assert found.cause == "JAX cannot start cuda; the JAX of /env/bin/python has: cpu"
    assert "the platform that JAX_PLATFORMS names" in told(failure).cause


def test_an_assertion_of_the_example_says_nothing_of_devices(told: Explain) -> None:
    frame = Frame(file="/pack/one.md", line=1, function="<module>", origin="example")
    failure = Failure(type="AssertionError", message="", frames=(frame,))
    assert told(failure, platform="cuda")[1:] == ("other", None)


def test_a_platform_that_the_code_names(explained: Explain) -> None:
    pytest.importorskip("jax")
    told = explained("import jax\njax.devices('rocm')")
    assert (told.kind, told.cause.partition(";")[0]) == ("device", "JAX cannot start rocm")


@pytest.mark.parametrize(
    ("code", "kind", "cause", "step"),
    [
        (
            "jax.pmap(lambda x: x)(jax.numpy.ones((8, 3)))",
            "device-count",
            "one row of its argument, and here each would get 8",
            "--emulate 8",
        ),
        (
            "jax.pmap(lambda x: x)(jax.numpy.ones((5000, 3)))",
            "device-count",
            "each would get 5000",
            "jax.vmap",
        ),
        ("jax.pmap(lambda x: x)(1.0)", "shape", "over the first axis of arrays", "device_count()"),
        ("jax.make_mesh((8,), ('x',))", "device-count", "takes 8 devices, and there is 1", "te 8"),
        (
            "mesh_utils.create_device_mesh((4, 2))",
            "device-count",
            "a mesh of (4, 2) takes 8 devices",
            "--emulate 8",
        ),
        (
            "np.array(jax.devices()).reshape(4, 2)",
            "device-count",
            "the code wants 8 devices, and there is 1",
            "--emulate 8",
        ),
        ("jax.devices()[3]", "device-count", "device 3, counted from 0", "--emulate 4"),
        (
            "jax.vmap(lambda x: jax.lax.psum(x, 'row'), axis_name='i')(np.ones(3))",
            "other",
            "around this names an axis row",
            "axis_name='row'",
        ),
        (
            "jax.lax.psum(1.0, 'batch')",
            "other",
            "no vmap, pmap or shard_map around this names an axis batch",
            "axis_name='batch'",
        ),
        (
            "jax.NamedSharding(jax.make_mesh((1,), ('x',)), jax.P('y'))",
            "other",
            "names an axis y, and the mesh has: 'x'",
            "jax.make_mesh",
        ),
        (
            "jax.devices(), jax.config.update('jax_num_cpu_devices', 4)",
            "device-count",
            "jax_num_cpu_devices is read when JAX starts",
            "--emulate N",
        ),
    ],
)
def test_devices_that_are_not_there(
    code: str, kind: str, cause: str, step: str, explained: Explain
) -> None:
    jax = pytest.importorskip("jax")
    if jax.device_count() != 1:
        pytest.skip("one device is needed, and no more")
    head = "import jax\nimport numpy as np\nfrom jax.experimental import mesh_utils\n"
    told = explained(head + code)
    assert told.kind == kind
    assert cause in told.cause
    assert step in told.next_step


def test_an_index_beyond_any_other_list_is_left_alone(explained: Explain) -> None:
    assert explained("devices = [1]\nprint(devices[3])")[1:] == ("other", None)
    assert explained("import numpy\nnumpy.ones(3).reshape(2, 2)").kind == "shape"


def test_the_rows_of_emulated_devices_are_counted_together(told: Explain) -> None:
    message = "cannot select an axis to squeeze out which has size not equal to one, got shape=(2,)"
    frame = Frame(file="/jax/_src/pmap.py", line=1, function="f", origin="jax")
    failure = Failure(type="ValueError", message=message, frames=(frame,))
    assert told(failure, devices=8).next_step.startswith("--emulate 16 ")
    assert told(failure).next_step.startswith("--emulate 2 ")
