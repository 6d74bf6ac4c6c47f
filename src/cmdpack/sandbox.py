"""The sandbox of a run: at which level, whether it can be had, and what it lets in.

A box shows the system's libraries, the Python that runs the examples, and nothing else of the
machine: no home, no network, no other process. What makes it is in `child/boxes`, what is taken
away inside of it in `child/boxed`.
"""

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from cmdpack.child import boxes, landlock
from cmdpack.errors import SandboxError, UsageError
from cmdpack.plan import Box, Note, Plan, SandboxLevel, Trust
from cmdpack.planner import Wishes
from cmdpack.sandboxed import UNPROTECTED

MIB = 2**20
SCRATCH_BYTES = 512 * MIB
CACHE_BYTES = 256 * MIB
FILES = 200_000
FOLDER, HOME, CACHE = "/tmp/work", "/tmp/home", "/cache"  # noqa: S108 - in the box, as below

_CHILD = str(Path(__file__).parent / "child")
_SYSTEM = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store")
_ETC = ("/etc/ld.so.cache", "/etc/localtime", "/etc/alternatives")
_GPU = ("/sys", "/dev/dri", "/dev/kfd")
_TEXTS = {
    "/etc/passwd": f"user:x:1000:1000::{HOME}:/bin/sh\n",
    "/etc/group": "user:x:1000:\n",
    "/etc/hosts": "127.0.0.1 localhost\n::1 localhost\n",
}
# Folders that hold more than a Python: what lies below them may be shown, they themselves not.
_TOO_MUCH = {"/", "/home", "/root", "/tmp", "/var", "/var/tmp", "/etc", "/run", "/srv", "/mnt"}  # noqa: S108
_NEVER = ("/proc", "/sys", "/dev", "/run")
_OWN_CACHE = {"JAX_COMPILATION_CACHE_DIR", "JAX_ENABLE_COMPILATION_CACHE"}
_APPARMOR_SWITCH = Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")
_PROBE_SECONDS = 20.0

_GPU_WITHIN_REACH = "--allow-gpu: the GPUs of this machine and their drivers are in the sandbox"
_OFF = "`cmdpack trust FILE` or --sandbox off runs the code with all your rights"
_PARTIAL = "--sandbox partial protects files and TCP only"


def level_of(trust: Trust, wishes: Wishes) -> SandboxLevel:
    """The level at which code of `trust` runs. Raises `UsageError` for wishes that contradict."""
    full = wishes.sandbox == "auto" and trust == "user"
    level: SandboxLevel = "partial" if wishes.sandbox == "partial" else "full" if full else "off"
    if level == "off":
        return level
    for flag, asked in (("--trace", wishes.trace), ("--dump-hlo", wishes.dump_hlo)):
        if asked is not None:
            raise UsageError(f"{flag} writes a folder, and nothing leaves a sandbox", help=_OFF)
    if wishes.platform not in {None, "cpu"} and level == "full" and not wishes.allow_gpu:
        raise UsageError(
            f"asked for --platform {wishes.platform}, and the sandbox lets no such device in",
            help="--allow-gpu lets it in; the driver is then within reach of the code",
        )
    return level


_known: dict[str, SandboxError | None] = {}


@contextlib.contextmanager
def required(level: SandboxLevel, place: str) -> Iterator[None]:
    """Find out, while the body runs, whether this machine can have a sandbox of `level`.

    That is seen by making one, once a process. Raises `SandboxError`, with why and the ways out,
    after the body.
    """
    if level == "off":
        yield
        return
    problem, process = None, None
    if level == "partial":
        if landlock.version() < landlock.WITH_TCP:
            problem = _unavailable("a partial one needs Landlock, of Linux 6.7 or newer")
    elif level in _known:
        problem = _known[level]
    else:
        problem, process = _start()
    try:
        yield
    finally:
        if process is not None:
            problem = _verdict(process)
    if level == "full":
        _known[level] = problem
    if problem is not None:
        raise SandboxError(problem.message, place=place, help=problem.help)


def _start() -> tuple[SandboxError | None, subprocess.Popen[bytes] | None]:
    if sys.platform != "linux":
        return _unavailable(f"there is none for {sys.platform} in this version"), None
    program = _bubblewrap()
    if program is None:
        why = "bubblewrap, which makes it, is not installed"
        how = "install the package bubblewrap (`apt install bubblewrap`, `dnf install bubblewrap`)"
        return _unavailable(why, how), None
    box = {**_skeleton(program), "binds": [*_system_binds()], "texts": {}}
    process = subprocess.Popen(  # noqa: S603 - a list, no shell
        [program, *boxes.arguments(box), "/usr/bin/env", "true"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        **_as_nobody(),
    )
    return None, process


def _verdict(process: subprocess.Popen[bytes]) -> SandboxError | None:
    try:
        _, said = process.communicate(timeout=_PROBE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        return _unavailable(f"bubblewrap did not answer within {_PROBE_SECONDS:g} s")
    if process.returncode == 0:
        return None
    lines = said.decode(errors="replace").strip().splitlines()
    return _explained(lines[-1] if lines else f"status {process.returncode}")


def _explained(said: str) -> SandboxError:
    why = f"bubblewrap is installed and fails here: {said}"
    if "nknown option" in said:
        return _unavailable(why, "bubblewrap 0.8 or newer is needed")
    if _is_one(_APPARMOR_SWITCH):
        return _unavailable(why, APPARMOR)
    return _unavailable(why, CONTAINER)


APPARMOR = (
    "this system (Ubuntu 24.04 does) lets only programs with an AppArmor profile make namespaces; "
    "as root, write to /etc/apparmor.d/bwrap:\n"
    "      abi <abi/4.0>,\n"
    "      include <tunables/global>\n"
    "      profile bwrap /usr/bin/bwrap flags=(unconfined) { userns, }\n"
    "    then `systemctl reload apparmor`; on a CI image of your own, "
    "`sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0` does as well"
)
CONTAINER = (
    "in a container, allow user namespaces: `docker run --security-opt seccomp=unconfined "
    "--security-opt apparmor=unconfined --security-opt systempaths=unconfined`, or "
    "sysctl user.max_user_namespaces above 0"
)


def _is_one(path: Path) -> bool:
    try:
        return path.read_text(encoding="ascii").strip() == "1"
    except OSError:
        return False


def _unavailable(why: str, *ways: str) -> SandboxError:
    known = [_PARTIAL] if landlock.version() >= landlock.WITH_TCP else []
    lines = "".join(f"\n  - {way}" for way in (*ways, *known, _OFF))
    return SandboxError(
        f"code from outside the built-in pack and plugins runs in a sandbox: {why}",
        help=f"one of these:{lines}",
    )


def _bubblewrap() -> str | None:
    folders = ["/usr/bin", "/bin", "/usr/local/bin", *os.get_exec_path()]
    return shutil.which("bwrap", path=os.pathsep.join(it for it in folders if it[:1] == "/"))


def _as_nobody() -> dict[str, Any]:
    """Root makes the probe as it makes the box: as nobody, to whom limits apply."""
    if os.geteuid() != 0:
        return {}
    return {"user": boxes.NOBODY, "group": boxes.NOBODY, "extra_groups": []}


def confined(plan: Plan, level: SandboxLevel, found: Box, wishes: Wishes) -> Plan:
    """`plan` as it is carried out at `level`, in a box like `found`.

    What the code of others can do in a box is bounded, and so it goes on after a failure.
    """
    if level == "off":
        return plan
    keep_going = True if wishes.keep_going is None else wishes.keep_going
    notes = [*plan.notes]
    if level == "partial":
        notes.append(Note(code="sandbox", message=UNPROTECTED[level]))
    elif found.gpu:
        notes.append(Note(code="sandbox", message=_GPU_WITHIN_REACH))
    changed = {"sandbox": level, "box": found, "keep_going": keep_going, "notes": tuple(notes)}
    return plan.model_copy(update=changed)


def circumstances(level: SandboxLevel, content: str) -> dict[str, str]:
    """What tells the compile cache of a sandboxed run from all others."""
    return {"cmdpack sandbox": level, "cmdpack content": content}


def box_of(folders: Sequence[str], path: Sequence[str], *, gpu: bool) -> Box:
    """What a sandbox shows of the Python whose prefixes are `folders`, with its `sys.path`."""
    home = Path(os.path.expanduser("~"))  # noqa: PTH111 - does not raise where there is none
    closed = {*_TOO_MUCH, *map(str, (home, *home.parents)), str(home.resolve())}
    seen = dict.fromkeys(it for found in folders for it in (found, os.path.realpath(found)))
    shown = [
        folder
        for folder in seen
        if folder not in closed and not _below(folder, _NEVER) and not _below(folder, _SYSTEM)
    ]
    return Box(readable=tuple(_outermost(shown)), path=tuple(path), gpu=gpu)


def _outermost(folders: Sequence[str]) -> Iterator[str]:
    """Without those that lie in another: it shows them already."""
    for folder in sorted(folders, key=len):
        if not _below(folder, [it for it in folders if it != folder]):
            yield folder


def _below(path: str, folders: Sequence[str]) -> bool:
    return any(path == it or path.startswith(it.rstrip("/") + "/") for it in folders)


@contextlib.contextmanager
def scratch(plan: Plan) -> Iterator[str]:
    """The folder that the code may write: of a box one in its own memory, else one made for it."""
    if plan.sandbox != "partial":
        yield FOLDER
        return
    with tempfile.TemporaryDirectory(prefix="cmdpack-", ignore_cleanup_errors=True) as folder:
        yield folder


def environment(plan: Plan, folder: str, cache: Mapping[str, str]) -> dict[str, str]:
    """The whole environment of a run, whose scratch folder is `folder`.

    Of a sandboxed run it is what decides what JAX does, and little else. `cache` are the settings
    of the compile cache.
    """
    if plan.sandbox == "off":
        return {**os.environ, **plan.environment, **cache}
    boxed = plan.sandbox == "full"
    no_gpu = boxed and plan.box is not None and not plan.box.gpu and plan.python.accelerators
    found = {
        "PATH": "/usr/local/bin:/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "HOME": HOME if boxed else folder,
        "TMPDIR": "/tmp" if boxed else folder,  # noqa: S108 - in the box
        "PYTHONDONTWRITEBYTECODE": "1",
        **{name: os.environ[name] for name in ("TZ",) if name in os.environ},
        **({"JAX_PLATFORMS": "cpu"} if no_gpu else {}),
        **{name: it for name, it in plan.environment.items() if name not in _OWN_CACHE},
        **cache,
    }
    if not boxed and plan.cache.directory is not None:
        found["JAX_COMPILATION_CACHE_DIR"] = plan.cache.directory
    return found


def order(plan: Plan, folder: str, variables: Mapping[str, str]) -> dict[str, Any] | None:
    """What the supervisor must be told to run `plan` in its sandbox; None where it has none.

    `variables` are the environment in it. Raises `SandboxError` where it cannot be made after all:
    a plan is never carried out at a lower level than its own.
    """
    if plan.sandbox == "off":
        return None
    if plan.box is None:
        raise _unavailable("the plan does not say what is in it")
    cache = plan.cache.directory
    if plan.sandbox == "partial":
        readable = [*_SYSTEM, *_ETC, "/proc", "/dev", "/sys", *_shown(plan.box)]
        devices = ["/dev/null", "/dev/zero", "/dev/full", "/dev/shm"]  # noqa: S108
        plain = [cache] if cache else []
        inside = _Inside(readable, [folder, *devices], plain, folder, isolate=True)
        return {"confinement": _confinement(plan.box, inside)}
    if (program := _bubblewrap()) is None:
        raise _unavailable("bubblewrap is gone")
    inside = _Inside(["/"], ["/tmp", "/dev"], [CACHE], folder, isolate=False)  # noqa: S108
    return {
        **_skeleton(program),
        "binds": [*_binds(plan.box, cache)],
        "texts": _TEXTS,
        "environment": dict(variables),
        "confinement": _confinement(plan.box, inside),
        "watch": {
            "memory": _memory_limit(),
            "files": FILES,
            "mounts": ["/tmp", "/dev/shm"],  # noqa: S108 - in the box
            "folder": cache,
            "bytes": CACHE_BYTES * 2,
        },
    }


def _binds(box: Box, cache: str | None) -> Iterator[list[str]]:
    yield from _system_binds()
    yield from (["ro-bind", it, it] for it in _shown(box))
    if box.gpu:
        yield from (["dev-bind", it, it] for it in _gpu_nodes())
    if cache is not None:
        yield ["bind", cache, CACHE]


class _Inside(NamedTuple):
    """What Landlock leaves, and the folder in which the code starts."""

    readable: Sequence[str]
    writable: Sequence[str]
    plain: Sequence[str]
    folder: str
    isolate: bool


def _confinement(box: Box, inside: _Inside) -> dict[str, Any]:
    """What the first code in a sandbox takes away; limits are in bytes, and numbers."""
    return {"path": box.path, "limits": limits(gpu=box.gpu), **inside._asdict()}


def limits(*, gpu: bool) -> dict[str, int]:
    """The limits of one process. Threads' stacks count as data, and JAX starts some per core."""
    cores = os.cpu_count() or 1
    found = {
        "data": 4096 * MIB + cores * 64 * MIB,
        "processes": max(256, 16 * cores),
        "file": 1024 * MIB,
        "descriptors": 4096,
        "core": 0,
    }
    return {name: number for name, number in found.items() if name != "data" or not gpu}


def _memory_limit() -> int:
    """What all processes and files of a run may take together, in bytes."""
    whole = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min(8192 * MIB, whole * 3 // 4)


def _skeleton(program: str) -> dict[str, Any]:
    return {
        "program": program,
        "links": [[os.readlink(it), it] for it in _SYSTEM if os.path.islink(it)],  # noqa: PTH114, PTH115
        "sizes": {"/tmp": SCRATCH_BYTES, "/dev/shm": SCRATCH_BYTES},  # noqa: S108
        "folders": [FOLDER, HOME],
        "environment": {},
        "folder": FOLDER,
    }


def _system_binds() -> Iterator[list[str]]:
    for path in _SYSTEM:
        if not os.path.islink(path) and os.path.isdir(path):  # noqa: PTH112, PTH114
            yield ["ro-bind", path, path]
    for path in _ETC:
        if os.path.exists(path):  # noqa: PTH110
            yield ["ro-bind", path, path]


def _shown(box: Box) -> Iterator[str]:
    for path in _outermost([*box.readable, _CHILD]):
        if os.path.exists(path):  # noqa: PTH110
            yield path


def _gpu_nodes() -> Iterator[str]:
    yield from sorted(str(it) for it in Path("/dev").glob("nvidia*"))
    yield from (it for it in _GPU if os.path.exists(it))  # noqa: PTH110
