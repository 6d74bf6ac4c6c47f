"""Examples that try to get out of the real sandbox.

Each attack is also run where nothing protects, against the same targets, which the test has made:
there it must succeed, or its failure in the sandbox would prove nothing.
"""

import contextlib
import json
import os
import signal
import socket
import sys
import tempfile
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import psutil
import pytest

Person = Any  # see conftest

SECRET = "a secret of the test"


pytestmark = pytest.mark.usefixtures("full_sandbox")


class Targets(NamedTuple):
    """What the test has made for an attack to reach."""

    secret: Path
    folder: Path
    tcp: int
    udp: int
    unix: Path
    abstract: str
    victim: int


@contextlib.contextmanager
def made_for(person: Person) -> Iterator[Targets]:
    secret = person.write("home/secret", SECRET)
    unix = secret.with_name("socket")
    abstract = f"cmdpack-test-{os.getpid()}-{time.monotonic_ns()}"
    sleeper = [sys.executable, "-c", "import time; print('on', flush=True); time.sleep(300)"]
    with contextlib.ExitStack() as stack:
        ports = []
        for kind, family, address in (
            (socket.SOCK_STREAM, socket.AF_INET, ("127.0.0.1", 0)),
            (socket.SOCK_DGRAM, socket.AF_INET, ("127.0.0.1", 0)),
            (socket.SOCK_STREAM, socket.AF_UNIX, str(unix)),
            (socket.SOCK_STREAM, socket.AF_UNIX, f"\0{abstract}"),
        ):
            listener = stack.enter_context(socket.socket(family, kind))
            listener.bind(address)
            ports.append(listener.getsockname())
            threading.Thread(target=_answer, args=(listener, kind), daemon=True).start()
            stack.callback(_shut, listener)
        unix.chmod(0o777)
        victim = person.start(sleeper, env={"SECRET": SECRET})
        assert victim.stdout is not None
        assert victim.stdout.readline() == "on\n"
        yield Targets(secret, secret.parent, ports[0][1], ports[1][1], unix, abstract, victim.pid)
        victim.kill()
        victim.communicate()


def _answer(listener: socket.socket, kind: int) -> None:
    """Send the secret to whoever comes."""
    with contextlib.suppress(OSError):
        if kind == socket.SOCK_STREAM:
            listener.listen()
            while True:
                connection, _ = listener.accept()
                with connection:
                    connection.sendall(SECRET.encode())
        while True:
            _, sender = listener.recvfrom(100)
            if sender is None:  # shut
                return
            listener.sendto(SECRET.encode(), sender)


def _shut(listener: socket.socket) -> None:
    with contextlib.suppress(OSError):
        listener.shutdown(socket.SHUT_RDWR)


def ran(person: Person, level: str, *fences: str, **more: Any) -> dict[str, Any]:
    """The result of running fences of Python in a file of `person`'s."""
    blocks = "\n".join(f"```python\n{textwrap.dedent(it).strip()}\n```\n" for it in fences)
    path = person.write("examples/sample.md", f"# Sample\n\n{blocks}")
    done = person.cmdpack("run", "--json", "--fail-fast", "--sandbox", level, path, **more)
    assert done.stdout, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    assert result["sandbox"] == {"auto": "full"}.get(level, level)
    return result


def printed(result: dict[str, Any]) -> str:
    return "".join(it["text"] for unit in result["units"] for it in unit["printed"])


ATTACKS = {
    "a secret in the environment": "reached = os.environ.get('API_TOKEN')",
    "a file of the home": "reached = open({secret!r}).read()",
    "the home itself": "reached = 'secret' in os.listdir({folder!r}) and SECRET",
    "users of the machine": "reached = 'root:' in open('/etc/passwd').read() and SECRET",
    "a TCP port": """
        link = socket.create_connection(('127.0.0.1', {tcp}), 5)
        reached = link.recv(100).decode()
    """,
    "a UDP port, and so DNS": """
        link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        link.settimeout(5)
        link.sendto(b'question', ('127.0.0.1', {udp}))
        reached = link.recv(100).decode()
    """,
    "a Unix socket": """
        link = socket.socket(socket.AF_UNIX)
        link.connect({unix!r})
        reached = link.recv(100).decode()
    """,
    "an abstract Unix socket": """
        link = socket.socket(socket.AF_UNIX)
        link.connect('\\0{abstract}')
        reached = link.recv(100).decode()
    """,
    "the environment of a process": "reached = open('/proc/{victim}/environ').read()",
    "a process, by a signal": "os.kill({victim}, 0); reached = SECRET",
    "a process, by ptrace": """
        libc = ctypes.CDLL(None, use_errno=True)
        reached = libc.ptrace(16, {victim}, None, None) == 0 and SECRET
        libc.ptrace(17, {victim}, None, None)
    """,
    "the memory of a process": "open('/proc/{victim}/mem', 'rb').close(); reached = SECRET",
    "files through a process": "reached = open('/proc/{victim}/root{secret}').read()",
    "the folder of the file": "open(__file__, 'a').close(); reached = SECRET",
    "a write beside the file": "open({folder!r} + '/new', 'w').close(); reached = SECRET",
    "a link in the scratch folder": """
        name = f'link-{{os.getpid()}}'
        folder = os.environ.get('TMPDIR', '/tmp')
        os.symlink({secret!r}, f'{{folder}}/{{name}}')
        try:
            reached = open(f'{{folder}}/{{name}}').read()
        finally:
            os.unlink(f'{{folder}}/{{name}}')
    """,
    "a child process": "reached = subprocess.run(['cat', {secret!r}], capture_output=True).stdout",
    "a shell": "reached = os.popen('cat {secret}').read()",
    "C, past Python": """
        libc = ctypes.CDLL(None)
        descriptor = libc.open({secret!r}.encode(), 0)
        reached = os.read(descriptor, 100).decode()
    """,
    "a user namespace": """
        code = 'import ctypes; print(ctypes.CDLL(None).unshare(0x10000000))'
        done = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
        reached = done.stdout == '0\\n' and SECRET
    """,
    "a callback of JAX": """
        import jax, numpy
        def read():
            global reached
            reached = open({secret!r}).read()
            return numpy.float32(0)
        jax.jit(lambda: jax.pure_callback(read, jax.ShapeDtypeStruct((), 'float32')))()
    """,
}

BEGINNING = f"import ctypes, os, socket, subprocess, sys\nSECRET = {SECRET!r}"
FRAME = """
reached = None
try:
{attack}
except BaseException as error:
    reached = type(error).__name__
print("{name}:", "REACHED" if SECRET in str(reached) else "stopped", reached)
"""


@pytest.fixture(scope="module")
def assaults(someone: Person) -> dict[str, dict[str, str]]:
    """What all attacks print, where nothing protects and in the sandbox."""
    found = {}
    with made_for(someone) as targets:
        facts = targets._asdict()
        facts |= {name: str(it) for name, it in facts.items() if isinstance(it, Path)}
        fences = [BEGINNING]
        for name, attack in ATTACKS.items():
            body = textwrap.dedent(attack.format(**facts)).strip()
            fences.append(FRAME.format(name=name, attack=textwrap.indent(body, "    ")))
        for level in ("off", "auto"):
            result = ran(someone, level, *fences, env={"API_TOKEN": SECRET})
            lines = [line.partition(": ") for line in printed(result).splitlines()]
            found[level] = {name: told for name, _, told in lines}
    return found


@pytest.mark.parametrize("attack", ATTACKS)
def test_an_attack_is_stopped(assaults: dict[str, dict[str, str]], attack: str) -> None:
    assert assaults["off"][attack].startswith("REACHED"), "the control"
    assert assaults["auto"][attack].startswith("stopped")


@pytest.fixture
def targets(person: Person) -> Iterator[Targets]:
    with made_for(person) as found:
        yield found


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can write the library at all")
@pytest.mark.parametrize("file", ["os.__file__", "json.__file__", "'/etc/hosts'"])
def test_the_library_cannot_be_written(person: Person, file: str) -> None:
    code = f"import json, os\nopen({file}, 'ab').close()\nprint('REACHED')"
    if person.uid is None:
        assert "REACHED" in printed(ran(person, "off", code)), "the control"
    boxed = ran(person, "auto", code)
    assert boxed["outcome"] == "failed"
    assert "REACHED" not in printed(boxed)


def test_what_an_honest_example_needs_is_there(person: Person) -> None:
    pytest.importorskip("jax")
    result = ran(
        person,
        "auto",
        """
        import getpass, os, pathlib, socket, subprocess, tempfile
        import jax, jax.numpy as jnp
        assert float(jax.jit(jnp.sum)(jnp.ones(3))) == 3.0
        pathlib.Path("kept.txt").write_text("on")
        assert tempfile.mkdtemp() and pathlib.Path.home().is_dir() and getpass.getuser()
        assert subprocess.run(["echo", "on"], capture_output=True).stdout == b"on\\n"
        server = socket.create_server(("localhost", 0))
        socket.create_connection(server.getsockname())
        """,
    )
    assert result["outcome"] == "ok", result
    assert result["evidence"]["executables"] > 0


def test_the_variables_are_few(person: Person) -> None:
    code = "import os\nprint(*os.environ)"
    env = {"AWS_SECRET_ACCESS_KEY": SECRET, "LD_PRELOAD": "", "JAX_ENABLE_X64": "1"}
    names = printed(ran(person, "auto", code, env=env)).split()
    allowed = ("JAX_", "XLA_", "PATH", "LANG", "HOME", "TMPDIR", "TZ", "PWD")
    assert [it for it in names if not it.startswith(allowed)] == ["PYTHONDONTWRITEBYTECODE"]
    assert "JAX_ENABLE_X64" in names


# Processes that would stay

DAEMON = """
import os, signal, sys, time
for number in {*range(1, 32)} - {9, 17, 19}:
    signal.signal(number, signal.SIG_IGN)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for number in range(3):
            os.close(number)
        os.execvp("sleep", ["sleep", "NUMBER"])
    os._exit(0)
os.wait()
time.sleep(0.3)
"""


def sleeping(number: str) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            if process.cmdline()[-1:] == [number] and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
    return found


def wait_until(condition: Callable[[], Any], seconds: float = 15.0) -> bool:
    limit = time.monotonic() + seconds
    while not (found := condition()) and time.monotonic() < limit:
        time.sleep(0.02)
    return bool(found)


def new_number() -> str:
    return str(10**7 + time.monotonic_ns() % 10**7)


@pytest.mark.parametrize("after", ["", "1 / 0", "os._exit(0)", "os.abort()", "time.sleep(60)"])
def test_no_daemon_outlives_its_box(person: Person, after: str) -> None:
    number = new_number()
    code = DAEMON.replace("NUMBER", number)
    if not after:
        person.run(sys.executable, "-c", code)
        [control] = sleeping(number)
        control.kill()
        assert wait_until(lambda: not sleeping(number))
    path = person.write("a.md", f"# A\n\n```python\n{code}\n{after}\n```\n")
    done = person.cmdpack("run", "--json", "--timeout", "3", path)
    assert sleeping(number) == []
    outcome = {"": "ok", "1 / 0": "failed", "time.sleep(60)": "timeout"}.get(after, "crashed")
    assert json.loads(done.stdout)["outcome"] == outcome


@pytest.mark.parametrize("victim", ["cmdpack", "supervisor", "bwrap", "first"])
def test_nothing_is_left_where_a_part_is_killed(person: Person, victim: str) -> None:
    number = new_number()
    code = DAEMON.replace("NUMBER", number) + "\ntime.sleep(60)"
    path = person.write("a.md", f"# A\n\n```python\n{code}\n```\n")
    process = person.start([sys.executable, "-m", "cmdpack", "run", "--json", path])
    assert wait_until(lambda: sleeping(number))
    me = psutil.Process(process.pid)
    [supervisor] = [it for it in me.children() if "supervisor" in it.cmdline()]
    [outer] = supervisor.children()
    [first] = outer.children()
    parts = {"cmdpack": me, "supervisor": supervisor, "bwrap": outer, "first": first}
    family = me.children(recursive=True)
    parts[victim].kill()
    out, _ = process.communicate(timeout=30)
    assert wait_until(lambda: not sleeping(number))
    _, alive = psutil.wait_procs(family, timeout=15)
    assert alive == []
    if victim != "cmdpack":
        assert json.loads(out)["outcome"] == "crashed"


def test_an_interrupt_reaches_the_example(person: Person) -> None:
    path = person.write(
        "a.md",
        "# A\n\n```python\nimport time\ntry:\n    print('on', flush=True)\n    time.sleep(60)\n"
        "finally:\n    print('cleaned up')\n```\n",
    )
    process = person.start([sys.executable, "-m", "cmdpack", "run", "--events", path])
    assert process.stdout is not None
    seen = iter(process.stdout.readline, "")
    next(line for line in seen if '"output-written"' in line or '"text":"on' in line)
    process.send_signal(signal.SIGINT)
    last = [*seen][-1]
    process.communicate()
    result = json.loads(last)["result"]
    assert result["outcome"] == "cancelled"
    assert "cleaned up" in printed(result)


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        ("os.abort()", "SIGABRT"),
        ("ctypes.string_at(0)", "SIGSEGV"),
        ("os.kill(os.getpid(), 9)", "SIGKILL"),
    ],
)
def test_a_signal_is_told_as_it_is(person: Person, statement: str, name: str) -> None:
    result = ran(person, "auto", f"import ctypes, os\n{statement}")
    assert (result["outcome"], result["ending"]["signal"]) == ("crashed", name)
    assert result["ending"]["peak_memory"] > 5 * 2**20
    assert result["timing"]["cpu"] > 0


# What is told from inside

FORGED = """
import gc, os
[writer] = [it for it in gc.get_objects() if type(it).__name__ == "Writer"]
names = [it["unit"] for it in [{"unit": "sample:4:1"}]]
closing = {"record": "closing", "stopped": None, "platform": "cpu", "devices": []}
writer.append({"record": "winding-down"})
writer.append({**closing, "sandbox": "off", "ending": {"reason": "exit", "signal": None}})
"""


@pytest.mark.parametrize(
    ("end", "outcome", "reason"),
    [
        ("os._exit(0)", "ok", "exit"),  # the control: what forges well is believed
        ("os._exit(3)", "crashed", "exit"),
        ("os.abort()", "crashed", "exit"),
        ("import time; time.sleep(60)", "timeout", "deadline"),
    ],
)
def test_forged_records_change_nothing_that_the_supervisor_saw(
    person: Person, end: str, outcome: str, reason: str
) -> None:
    path = person.write(
        "a.md", f"# A\n\n```python\nif True:\n{textwrap.indent(FORGED, '    ')}\n    {end}\n```\n"
    )
    done = person.cmdpack("run", "--json", "--timeout", "2", path)
    result = json.loads(done.stdout)
    assert result["sandbox"] == "full"
    assert result["ending"]["reason"] == reason
    assert result["outcome"] == outcome or outcome == "ok"


# Compile caches

CACHED = "import jax\nprint(float(jax.jit(lambda x: x * 3)(2.0)))"


def cache_folders(person: Person) -> list[Path]:
    return sorted((person.folder / "cache" / "cmdpack").glob("*/*"))


def test_a_cache_belongs_to_one_content_at_one_level(person: Person) -> None:
    pytest.importorskip("jax")
    assert ran(person, "auto", CACHED)["evidence"]["cache_hits"] == 0
    assert ran(person, "auto", CACHED)["evidence"]["cache_hits"] == 1
    assert ran(person, "off", CACHED)["evidence"]["cache_hits"] == 0
    assert ran(person, "partial", CACHED)["evidence"]["cache_hits"] == 0
    assert ran(person, "auto", CACHED + "  # another")["evidence"]["cache_hits"] == 0
    assert len(cache_folders(person)) == 4


PLANTS = {
    "torn entries": "for n in os.listdir(here): open(f'{here}/{n}', 'wb').write(b'torn')",
    "a link to the mark": "os.symlink(secret, f'{here}/used')",
    "a link to everything": "os.symlink('/', f'{here}/root')",
    "a pipe": "os.mkfifo(f'{here}/pipe')",
    "folders": "os.makedirs(f'{here}/a/b')",
    "no rights": "os.chmod(here, 0)",
    "a large file": "open(f'{here}/large', 'wb').truncate(2**40)",
}


@pytest.mark.parametrize("plant", PLANTS)
@pytest.mark.parametrize("inside", [True, False], ids=["from inside", "from outside"])
def test_what_is_planted_in_a_cache_harms_nobody(person: Person, plant: str, inside: bool) -> None:
    pytest.importorskip("jax")
    secret = person.write("home/secret", SECRET)
    code = f"import os\nhere, secret = os.environ.get('HERE', '/cache'), {str(secret)!r}\n"
    code += PLANTS[plant]
    planting = f"if not os.path.exists('/cache/planted'):\n{textwrap.indent(code, '    ')}"
    ran(person, "auto", CACHED, "import os", planting if inside else "")
    [folder] = cache_folders(person)
    if not inside:
        person.run(sys.executable, "-c", code, env={"HERE": str(folder / "entries")})
    again = ran(person, "auto", CACHED, "import os", planting if inside else "")
    assert printed(again) == "6.0\n"
    assert secret.read_text() == SECRET
    assert (folder / "used").is_file()
    assert not (folder / "used").is_symlink()


# Where there is none


def test_without_bubblewrap_the_ways_out_are_told(person: Person) -> None:
    path = person.write("a.md", "# A\n\n```python\nprint('RAN')\n```\n")
    code = (
        "import cmdpack.sandbox as s, sys; s._bubblewrap = lambda: None; "
        "from cmdpack.__main__ import main; sys.argv[0] = 'cmdpack'; sys.exit(main())"
    )
    done = person.run(sys.executable, "-c", code, "run", path)
    assert (done.returncode, done.stdout) == (4, "")
    for words in (str(path), "not installed", "apt install", "--sandbox partial", "--sandbox off"):
        assert words in done.stderr


@pytest.mark.parametrize(
    ("script", "words"),
    [
        ("echo 'bwrap: setting up uid map: Permission denied' >&2; exit 1", "uid map"),
        ("echo 'bwrap: Unknown option --disable-userns' >&2; exit 1", "0.8 or newer"),
        ("exit 1", "status 1"),
    ],
)
def test_a_bubblewrap_that_fails_is_named(person: Person, script: str, words: str) -> None:
    program = person.write("bin/bwrap", f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    program.parent.chmod(0o755)
    person.folder.chmod(0o755)
    path = person.write("a.md", "# A\n\n```python\nprint('RAN')\n```\n")
    code = (
        f"import cmdpack.sandbox as s, sys; s._bubblewrap = lambda: {str(program)!r}; "
        "from cmdpack.__main__ import main; sys.argv[0] = 'cmdpack'; sys.exit(main())"
    )
    done = person.run(sys.executable, "-c", code, "run", path)
    assert (done.returncode, done.stdout) == (4, "")
    assert words in done.stderr


# Words


@pytest.mark.parametrize(
    ("statement", "cause"),
    [
        (
            "socket.create_connection(('192.0.2.7', 443), 5)",
            "the sandbox has no network: line 5 tried 192.0.2.7:443",
        ),
        (
            "urllib.request.urlopen('http://a.invalid')",
            "the sandbox has no network: line 5 tried a.invalid:80",
        ),
        ("open(os.path.expanduser('~/data.csv'))", "the sandbox shows none of your files: line 5"),
        ("open('/usr/new', 'w')", "the sandbox is read-only outside of its scratch folder: line 5"),
    ],
)
def test_what_was_stopped_is_said(person: Person, statement: str, cause: str) -> None:
    result = ran(person, "auto", f"import os, socket, urllib.request\n\n{statement}")
    [failed] = [unit for unit in result["units"] if unit["outcome"] == "failed"]
    assert failed["error"]["advice"]["cause"].startswith(
        cause.replace("line 5", f"line {failed['line']}")
    )
    assert "--sandbox off" in failed["error"]["advice"]["next_step"]


def test_the_report_and_the_plan_say_the_level(person: Person) -> None:
    path = person.write("a.md", "# A\n\n```python\nprint('on')\n```\n")
    assert person.cmdpack("run", path).stdout.rstrip().endswith("; sandbox full")
    assert "user code, sandbox full" in person.cmdpack("run", "--plan", path).stdout
    partial = person.cmdpack("run", "--sandbox", "partial", path).stdout
    assert partial.rstrip().endswith("; sandbox partial (files and TCP only)")
    assert "UDP" in partial


def test_a_partial_sandbox_protects_files_and_tcp(person: Person, targets: Targets) -> None:
    reached = "print('REACHED')"
    for code, stopped in (
        (f"print('REACHED', open({str(targets.secret)!r}).read())", True),
        (
            f"import socket\nsocket.create_connection(('127.0.0.1', {targets.tcp}))\n{reached}",
            True,
        ),
        (f"open({str(targets.folder)!r} + '/new', 'w'); print('REACHED')", True),
        (f"import os; os.kill({targets.victim}, 0); print('REACHED')", True),
        ("import os; open('own', 'w').close(); print('REACHED')", False),
    ):
        result = ran(person, "partial", code)
        assert ("REACHED" not in printed(result)) == stopped, code
        assert "REACHED" in printed(ran(person, "off", code))


def test_a_partial_sandbox_leaves_no_folder(person: Person) -> None:
    before = {*Path(tempfile.gettempdir()).glob("cmdpack-*")}
    result = ran(person, "partial", "import os\nopen('x', 'w').close()\nprint(os.getcwd())")
    assert not Path(printed(result).strip()).exists()
    assert {*Path(tempfile.gettempdir()).glob("cmdpack-*")} <= before


# Limits of the whole tree, seen from outside by whoever started it

TOO_MUCH = {
    "files": "for n in range(3000): open(f'{n}', 'w').close()",
    "memory": "for _ in range(3):\n    if os.fork() == 0:\n        x = bytearray(80 * 2**20)\n"
    "        time.sleep(5)\n        os._exit(0)",
    "compile cache": "for n in range(16): open(f'/cache/{n}', 'wb').write(bytes(2**20))",
}


@pytest.mark.parametrize("what", TOO_MUCH)
@pytest.mark.parametrize("is_limited", [False, True], ids=["the control", "limited"])
def test_what_all_processes_take_together(person: Person, what: str, is_limited: bool) -> None:
    pytest.importorskip("jax")
    code = f"import os, time\n{TOO_MUCH[what]}\ntime.sleep(1.5)\nprint('all')"
    path = person.write("a.md", f"# A\n\n```python\n{code}\n```\n")
    own = "s.FILES = 1000; s.CACHE_BYTES = 4 * 2**20; s._memory_limit = lambda: 150 * 2**20"
    start = (
        f"import cmdpack.sandbox as s, sys; {own if is_limited else ''}\n"
        "from cmdpack.__main__ import main; sys.argv[0] = 'cmdpack'; sys.exit(main())"
    )
    result = json.loads(person.run(sys.executable, "-c", start, "run", "--json", path).stdout)
    if not is_limited:
        assert result["outcome"] == "ok"
        return
    assert (result["outcome"], result["ending"]["reason"]) == ("out-of-memory", "memory-limit")
    assert what in result["reason"]
