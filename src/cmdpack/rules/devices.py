"""Devices that cannot be started, or of which there are not enough."""

import re

from cmdpack.result import Failure
from cmdpack.rules.base import Circumstances, Finding, finding, own_frame, through


def unknown_xla_flag(failure: Failure, around: Circumstances) -> Finding | None:
    """XLA ends the process when `XLA_FLAGS` holds a flag that it does not know."""
    del around
    found = re.search(r"Unknown flags? in XLA_FLAGS: *(.+)", failure.message)
    if found is None:
        return None
    return finding(
        "device",
        f"XLA_FLAGS holds what this jaxlib does not know: {found[1].strip()}",
        "correct or unset the environment variable XLA_FLAGS",
    )


def backend_missing(failure: Failure, around: Circumstances) -> Finding | None:
    """JAX could not start the platform that was asked for; its own words differ by platform."""
    # JAX may have taken its own frames out of the traceback.
    told = re.match(r"Unable to initialize backend|Unknown backend", failure.message)
    hinted = failure.type == "AssertionError" or "libtpu" in failure.message
    if told is None and not (through(failure, "xla_bridge.py") and hinted):
        return None
    asked = around.platform or _named(failure) or "the platform that JAX_PLATFORMS names"
    exists = ", ".join(["cpu", *around.python.accelerators])
    return finding(
        "device",
        f"JAX cannot start {asked}; the JAX of {around.python.executable} has: {exists}",
        "check the driver and the plugin, or name another --platform",
    )


def _named(failure: Failure) -> str | None:
    """The platform that the code itself asks for."""
    frame = own_frame(failure)
    asked = re.search(r"devices\(\s*['\"](\w+)['\"]", frame.source) if frame else None
    return asked[1] if asked else None


def too_few(failure: Failure, around: Circumstances) -> Finding | None:
    """Code for more devices than there are."""
    del around
    if failure.type not in {"ValueError", "IndexError"}:
        return None
    frame = own_frame(failure)
    source = frame.source if frame else ""
    if found := re.match(
        r"Number of devices (\d{1,9}) must (?:be >=|equal) the product of mesh_shape \(([\d, ]*)\)",
        failure.message,
    ):
        wanted = _product(found[2])
        cause = f"a mesh of ({found[2]}) takes {wanted} devices, and there {_are(found[1])}"
        return finding("device-count", cause, _emulate(wanted, "make the mesh smaller"))
    reshaped = re.match(
        r"cannot reshape array of size (\d{1,9}) into shape \(([\d, ]*)\)", failure.message
    )
    if reshaped and "devices(" in source:
        wanted = _product(reshaped[2])
        cause = f"the code wants {wanted} devices, and there {_are(reshaped[1])}"
        return finding("device-count", cause, _emulate(wanted, "use all that jax.devices() gives"))
    if failure.message == "list index out of range" and (
        found := re.search(r"devices\([^)]*\)\[(\d{1,9})\]", source)
    ):
        wanted = int(found[1]) + 1
        cause = f"the code takes device {found[1]}, counted from 0, and there are not so many"
        return finding("device-count", cause, _emulate(wanted, "take a device that exists"))
    return None


def leading_axis(failure: Failure, around: Circumstances) -> Finding | None:
    """`pmap` over an axis that is longer than there are devices, or over none."""
    if not through(failure, "pmap.py"):
        return None
    if "requires at least one argument with a mapped axis" in failure.message:
        cause = "pmap maps over the first axis of arrays, and got none"
        step = "pass arrays whose first axis has jax.device_count() entries"
        return finding("shape", cause, step)
    squeezed = re.match(r"cannot select an axis to squeeze .*shape=\((\d{1,9})\b", failure.message)
    if squeezed is None:
        return None
    each = int(squeezed[1])
    on_cpu = around.devices or around.platform == "cpu" or not around.python.accelerators
    wanted = each * (around.devices or 1) if on_cpu else 0
    return finding(
        "device-count",
        f"pmap gives each device one row of its argument, and here each would get {each}",
        _emulate(wanted, "let the first axis have jax.device_count() entries, or use jax.vmap"),
    )


def indivisible(failure: Failure, around: Circumstances) -> Finding | None:
    """A dimension that the devices cannot share evenly."""
    del around
    for pattern in _INDIVISIBLE:
        if found := re.search(pattern, failure.message):
            axis, size, count = found["axis"], found["size"], found["count"]
            cause = f"dimension {axis} has {size} entries, which {count} devices cannot share"
            step = f"make it a multiple of {count}: pad it, or shard another dimension"
            if "_internal_pmap_axis_name" in failure.message:
                step = f"let the first axis have {count} entries, one for each device"
            return finding("device-count", cause, step)
    return None


_INDIVISIBLE = (
    (
        r"array axis (?P<axis>\d+) is partitioned (?P<count>\d+) times, but "
        r"(?:the dimension size is|does not evenly divide the dimension size) (?P<size>\d+)"
    ),
    (
        r"maps array axis (?P<axis>\d+) \(of size (?P<size>\d+)\) to mesh axis \S+ "
        r"\(of size (?P<count>\d+)\), but \d+ does not evenly divide"
    ),
    (
        r"dimension (?P<axis>\d+) should be divisible by (?P<count>\d+), but it is equal to "
        r"(?P<size>\d+)"
    ),
)


def placement(failure: Failure, around: Circumstances) -> Finding | None:
    """Arrays on devices, or with shardings, that do not go together."""
    del around
    if failure.message.startswith("Received incompatible devices for jitted computation"):
        cause = "the arguments of one computation are on different devices"
        return finding(None, cause, "bring them together: x = jax.device_put(x, y.sharding)")
    if "can only refer to Auto axes of the mesh" in failure.message:
        return finding(
            "api",
            "the axes of jax.make_mesh are explicit since JAX 0.9.0, and a constraint is for "
            "automatic ones",
            "use jax.sharding.reshard, or make the mesh with "
            "axis_types=(jax.sharding.AxisType.Auto,)",
        )
    return None


def axis_name(failure: Failure, around: Circumstances) -> Finding | None:
    """A collective over an axis, or a sharding by one, that nothing around it has named."""
    del around
    if found := re.match(r"(?:Found an )?unbound axis name:? (\S+?)\.?(?:\s|$)", failure.message):
        cause = f"no vmap, pmap or shard_map around this names an axis {found[1]}"
        return finding(None, cause, f"call it within jax.vmap(..., axis_name={found[1]!r})")
    if found := re.match(
        r"Resource axis: (\S+) of .* is not found in mesh: \((.*?),?\)", failure.message
    ):
        cause = f"the PartitionSpec names an axis {found[1]}, and the mesh has: {found[2]}"
        return finding(None, cause, "use an axis of the mesh, or name it in jax.make_mesh")
    return None


def too_late(failure: Failure, around: Circumstances) -> Finding | None:
    """A number of devices asked for when JAX has started."""
    del around
    found = re.match(r"(\w+) config should be updated before backends", failure.message)
    if found is None:
        return None
    cause = f"{found[1]} is read when JAX starts its devices, and that has happened already"
    return finding("device-count", cause, "leave it out, and run with --emulate N")


def _product(shape: str) -> int:
    result = 1
    for size in re.findall(r"\d{1,9}", shape)[:32]:
        result *= int(size)
    return result


def _are(count: str) -> str:
    return "is 1" if count == "1" else f"are {count}"


def _emulate(count: int, otherwise: str) -> str:
    if not 1 < count <= _MOST_EMULATED:
        return otherwise
    return f"--emulate {count} makes so many of the CPU; or {otherwise}"


_MOST_EMULATED = 1024
