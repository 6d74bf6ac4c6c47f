"""``cmdpack trust``, and what its grants change for `run` and `export`, as a user types it."""

import ctypes
import json
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

Done = subprocess.CompletedProcess[str]
Cli = Callable[..., Done]


@pytest.fixture
def cli(surroundings: dict[str, str], tmp_path: Path) -> Cli:
    """The command line in an empty folder, with a state of its own."""
    env = {**surroundings, "XDG_STATE_HOME": str(tmp_path / "state")}

    def run(*words: str | Path, **settings: str) -> Done:
        return subprocess.run(
            [sys.executable, "-m", "cmdpack", *map(str, words)],
            env={**env, **settings},
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    return run


def write(path: Path, code: str, keys: str = "title: x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"---\n{keys}\n---\n\n# Title\n\n```python\n{code}\n```\n")
    return path


@pytest.fixture
def one(tmp_path: Path) -> Path:
    return write(tmp_path / "work" / "one.md", "print('first')\nprint('second')")


def digest_in(done: Done) -> str:
    (line,) = [it for it in done.stdout.splitlines() if it.startswith("content sha256:")]
    return line.removeprefix("content ").partition(",")[0]


def grants(cli: Cli) -> list[dict[str, str]]:
    done = cli("trust", "list", "--json")
    assert done.returncode == 0
    found: list[dict[str, str]] = json.loads(done.stdout)["grants"]
    return found


def sandbox_of(done: Done) -> str:
    """At which level a plan would run; a refusal for want of a sandbox counts as its own."""
    if done.returncode == 4:
        return "none"
    assert done.returncode == 0, done.stderr
    level: str = json.loads(done.stdout)["sandbox"]
    return level


def plan(cli: Cli, *words: str | Path) -> Done:
    return cli("run", "--plan", "--json", *words)


# Showing and storing


def test_shows_the_code_with_its_lines_and_stores_the_grant(cli: Cli, one: Path) -> None:
    done = cli("trust", "work/one.md")
    assert (done.returncode, done.stderr) == (0, "")
    head, *rest = done.stdout.splitlines()
    assert head == "work/one.md: 1 example, 2 lines of code"
    assert rest[:2] == ["     8  print('first')", "     9  print('second')"]
    assert f"stored: {one}: the content {digest_in(done)} runs outside" in done.stdout
    (grant,) = grants(cli)
    assert (grant["scope"], grant["path"], grant["digest"]) == ("run", str(one), digest_in(done))
    listed = cli("trust", "list").stdout.splitlines()
    assert listed[1].split()[:3] == ["run", str(one), digest_in(done)]


def test_only_shows_when_told_so(cli: Cli, one: Path, tmp_path: Path) -> None:
    done = cli("trust", "--show", one)
    assert done.returncode == 0
    assert "nothing is stored" in done.stdout
    assert not (tmp_path / "state").exists()
    assert json.loads(cli("trust", "--show", "--json", one).stdout)["grants"] == []


def test_dependencies_are_shown_first_and_counted(cli: Cli, one: Path, tmp_path: Path) -> None:
    two = write(tmp_path / "work" / "two.md", "print(2)", "dependencies: [one]")
    done = cli("trust", two)
    assert done.stdout.index("one.md: 1 example") < done.stdout.index("two.md: 1 example")
    assert json.loads(plan(cli, two).stdout)["content"] == digest_in(done)


def test_what_changed_since_is_shown_as_a_difference(cli: Cli, one: Path) -> None:
    first = digest_in(cli("trust", one))
    assert f"content {first}, which you approved before" in cli("trust", one).stdout
    write(one, "print('first')\nprint('other\u202e')")
    done = cli("trust", one)
    assert done.stdout.startswith(f"since you approved it (content {first}):\none.md: changed\n")
    assert "\n  -print('second')\n  +print('other\\u202e')\n" in done.stdout
    assert digest_in(done) != first
    assert [it["digest"] for it in grants(cli)] == [digest_in(done)]


def test_what_a_file_says_cannot_pass_for_ours(cli: Cli, one: Path) -> None:
    write(one, "x = '''\nstored: all is well\n\x1b[2J\x1b]52;c;AAAA\x07'''")
    done = cli("trust", "--show", one)
    assert "     9  stored: all is well\n" in done.stdout
    assert "\x1b" not in done.stdout
    assert "\\u001b[2J\\u001b]52;c;AAAA\\u0007" in done.stdout


def test_a_folder_is_each_of_its_commands(cli: Cli, one: Path, tmp_path: Path) -> None:
    two = write(tmp_path / "work" / "two.md", "print(2)")
    assert cli("trust", "work").returncode == 0
    assert {it["path"] for it in grants(cli)} == {str(one), str(two)}
    assert sandbox_of(plan(cli, "work/two.md")) == "off"
    assert sandbox_of(plan(cli, "--pack", "work", "two")) == "off"


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["work/none.md"], 2, "there is no file"),
        (["jax-init"], 2, "is built in or installed, and runs without a grant"),
        (["work/one.md", "work/one.md"], 2, "give one PATH, or list, or remove"),
        (["remove"], 2, "give one PATH, or list, or remove"),
        (["remove", "work/one.md"], 2, "no grant is stored for this path or digest"),
        (["--mine", "work/one.md"], 2, "is not a folder"),
        (["--mine", "nowhere"], 2, "cannot be found"),
        (["--mine", "/"], 2, "is too wide"),
        (["--mine", "--show", "work"], 2, "nothing to show"),
        (["--for", "export", "work/one.md"], 2, "is not a folder"),
        (["--for", "everything", "work/one.md"], 2, "--for"),
        ([], 2, ""),
    ],
)
def test_what_cannot_be_is_one_clear_error(
    *, cli: Cli, one: Path, tmp_path: Path, words: list[str], code: int, message: str
) -> None:
    done = cli("trust", *words)
    assert (done.returncode, done.stdout) == (code, "")
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "state").exists()


def test_removing(cli: Cli, one: Path, tmp_path: Path) -> None:
    two = write(tmp_path / "work" / "two.md", "print(2)")
    digest = digest_in(cli("trust", one))
    cli("trust", two)
    cli("trust", "--for", "export", "work")
    done = cli("trust", "remove", digest)
    assert done.stdout == f"removed: run {one} {digest}\n"
    assert len(grants(cli)) == 2
    two.unlink()
    assert cli("trust", "remove", "--for", "run", "work").returncode == 0
    assert [it["scope"] for it in grants(cli)] == ["export"]
    assert cli("trust", "remove", "work").returncode == 0
    assert cli("trust", "list").stdout == ""


def test_what_is_still_granted_elsewhere_is_told(cli: Cli, one: Path, tmp_path: Path) -> None:
    copy = write(tmp_path / "copy" / "one.md", "print('first')\nprint('second')")
    cli("trust", one)
    cli("trust", copy)
    done = cli("trust", "remove", one)
    assert done.returncode == 0
    assert done.stderr == f"note: the same content is still granted for run by {copy}\n"
    assert cli("trust", "remove", copy).stderr == ""


# Runs


def test_a_grant_runs_exactly_its_content_outside_the_sandbox(cli: Cli, one: Path) -> None:
    before = sandbox_of(plan(cli, one))
    assert before != "off"
    digest = digest_in(cli("trust", one))
    planned = json.loads(plan(cli, one).stdout)
    assert (planned["sandbox"], planned["trust"], planned["content"]) == ("off", "user", digest)
    assert planned["grant"] == f"its content {digest} was approved with `cmdpack trust`"
    done = cli("run", "--json", one)
    assert done.returncode == 0
    result = json.loads(done.stdout)
    assert (result["sandbox"], result["outcome"]) == ("off", "ok")
    notes = [it["message"] for it in result["notes"] if it["code"] == "grant"]
    assert notes == [f"runs outside the sandbox: {planned['grant']}"]
    assert f"content        {digest}\n" in cli("run", "--plan", one).stdout
    one.write_text(f"{one.read_text()}\n")  # one byte more
    assert sandbox_of(plan(cli, one)) == before


def test_a_sandbox_that_is_asked_for_wins_over_a_grant(cli: Cli, one: Path) -> None:
    before = sandbox_of(plan(cli, one))
    cli("trust", one)
    assert sandbox_of(plan(cli, "--sandbox", "auto", one)) == before
    assert sandbox_of(plan(cli, "--sandbox", "partial", one)) != "off"
    off = json.loads(plan(cli, "--sandbox", "off", one).stdout)
    assert (off["sandbox"], off["grant"]) == ("off", None)


def test_a_name_is_no_grant(cli: Cli, one: Path, tmp_path: Path) -> None:
    cli("trust", one)
    other = write(tmp_path / "other" / "one.md", "print('evil')")
    assert sandbox_of(plan(cli, other)) != "off"
    one.unlink()
    one.symlink_to(other)
    assert sandbox_of(plan(cli, one)) != "off"


def test_a_folder_of_one_s_own(cli: Cli, one: Path, tmp_path: Path) -> None:
    done = cli("trust", "--mine", "work")
    assert done.returncode == 0
    assert f"stored: {one.parent}: all below it runs outside the sandbox" in done.stdout
    write(one, "print('changed')")
    planned = json.loads(plan(cli, one).stdout)
    assert planned["sandbox"] == "off"
    assert planned["grant"] == (
        f"all below {one.parent} is your own work, by `cmdpack trust --mine`"
    )
    (one.parent / "link.md").symlink_to(write(tmp_path / "evil.md", "print('evil')"))
    assert sandbox_of(plan(cli, "work/link.md")) != "off"
    one.parent.rename(tmp_path / "moved")
    assert sandbox_of(plan(cli, "moved/one.md")) != "off"


def test_only_the_expected_content_runs(cli: Cli, one: Path) -> None:
    digest = digest_in(cli("trust", "--show", one))
    shown = cli("show", one).stdout
    assert f"\n  content {digest}\n" in shown
    assert json.loads(cli("show", "--json", one).stdout)["content"] == digest
    run = ("run", "--sandbox", "off", "--expect-digest")
    assert cli(*run, digest, one).returncode == 0
    write(one, "open('ran', 'w')")
    done = cli(*run, digest, one)
    assert (done.returncode, done.stdout) == (5, "")
    assert f"{one}: the content is sha256:" in done.stderr
    assert f"and {digest} was expected" in done.stderr
    assert not (one.parent.parent / "ran").exists()
    assert cli(*run, "sha256:1", one).returncode == 2


def test_an_expected_digest_is_no_grant(cli: Cli, one: Path) -> None:
    digest = digest_in(cli("trust", "--show", one))
    assert sandbox_of(plan(cli, "--expect-digest", digest, one)) != "off"


def test_nothing_in_the_environment_is_a_grant(cli: Cli, one: Path) -> None:
    names = ("TRUST", "SANDBOX", "GRANT", "YES", "CI", "EXPECT_DIGEST")
    settings = {f"CMDPACK_{name}": "off" for name in names} | {"CI": "true"}
    done = cli("run", "--plan", "--json", one, **settings)
    assert sandbox_of(done) != "off"


def test_a_file_that_is_swapped_while_it_is_started_never_runs(
    cli: Cli, one: Path, tmp_path: Path
) -> None:
    """Either what was approved runs, or it is refused or boxed: never the other outside."""
    good, evil = write(tmp_path / "good.md", "print('approved')"), tmp_path / "evil.md"
    write(evil, f"open({str(tmp_path / 'ran')!r}, 'w')")
    one.write_text(good.read_text())
    cli("trust", one)
    done, swaps = threading.Event(), [0]

    def swap() -> None:
        while not done.is_set():
            for source in (evil, good):
                new = one.with_suffix(".new")
                new.write_bytes(source.read_bytes())
                new.replace(one)
                swaps[0] += 1

    racer = threading.Thread(target=swap)
    racer.start()
    try:
        runs = [cli("run", one) for _ in range(5)]
    finally:
        done.set()
        racer.join()
    assert swaps[0] > 100
    assert not (tmp_path / "ran").exists()
    assert {it.returncode for it in runs} <= {0, 1, 4}
    for run in runs:
        assert ("approved" in run.stdout) == (run.returncode == 0)
    write(one, evil.read_text())
    assert cli("run", "--sandbox", "off", evil).returncode == 0
    assert (tmp_path / "ran").exists()  # it would have


# Exports


def test_an_export_needs_a_grant_of_its_own(cli: Cli, one: Path, tmp_path: Path) -> None:
    export = ("export", "--to", "claude", "--pack", "work", "out")
    cli("trust", one)
    done = cli(*export)
    assert done.returncode == 3
    assert "`cmdpack trust --for export work` shows what it says" in done.stderr
    assert not (tmp_path / "out").exists()
    shown = cli("trust", "--for", "export", "work")
    assert "     5  # Title\n" not in shown.stdout.partition("one.md:")[0]
    assert "     5  # Title\n" in shown.stdout
    assert cli(*export).returncode == 0
    assert (tmp_path / "out" / "commands" / "one.md").is_file()
    (one.parent / "manifest.toml").write_text('[pack]\ndescription = "other"\n')
    assert cli(*export).returncode == 3
    changed = cli("trust", "--for", "export", "work").stdout
    assert '  +    "description": "other",\n' in changed
    assert "one.md: unchanged\n" in changed
    assert cli(*export).returncode == 0


# The store under stress


def test_twenty_at_once(surroundings: dict[str, str], cli: Cli, tmp_path: Path) -> None:
    files = [write(tmp_path / "work" / f"c{n}.md", f"print({n})") for n in range(20)]
    env = {**surroundings, "XDG_STATE_HOME": str(tmp_path / "state")}
    words = [sys.executable, "-m", "cmdpack", "trust"]
    running = [
        subprocess.Popen([*words, str(it)], env=env, stdout=subprocess.DEVNULL) for it in files
    ]
    assert {it.wait(timeout=120) for it in running} == {0}
    assert {it["path"] for it in grants(cli)} == {str(it) for it in files}
    left = sorted(it.name for it in (tmp_path / "state" / "cmdpack").iterdir())
    assert left == ["approved", "trust.json", "trust.lock"]


def test_killed_at_any_time_the_store_is_old_or_new(
    surroundings: dict[str, str], cli: Cli, one: Path, tmp_path: Path
) -> None:
    cli("trust", one)
    known = {str(one)}
    env = {**surroundings, "XDG_STATE_HOME": str(tmp_path / "state")}
    for number in range(10):
        other = write(tmp_path / "work" / f"c{number}.md", f"print({number})")
        words = [sys.executable, "-m", "cmdpack", "trust", str(other)]
        with subprocess.Popen(words, env=env, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()  # it has begun to show, and stores next
            process.send_signal(signal.SIGKILL)
        found = {it["path"] for it in grants(cli)}
        assert known <= found <= {*known, str(other)}
        known = found


def _obey_permissions() -> None:
    """Let root write only where it may: before the start, drop what lets it write everywhere."""
    for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
        ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP


def test_a_state_that_is_read_only(surroundings: dict[str, str], one: Path, tmp_path: Path) -> None:
    (tmp_path / "state").mkdir(mode=0o555)
    done = subprocess.run(
        [sys.executable, "-m", "cmdpack", "trust", str(one)],
        env={**surroundings, "XDG_STATE_HOME": str(tmp_path / "state")},
        preexec_fn=_obey_permissions,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 6
    assert f"{tmp_path}/state/cmdpack: the grant cannot be stored: Permission" in done.stderr
    assert "nothing has changed" in done.stderr
    assert "Traceback" not in done.stderr


def bubblewrap(*words: str) -> list[str]:
    """The start of a command line that runs in a view of this system with some of it changed."""
    start = ["bwrap", "--dev-bind", "/", "/", *words]
    try:
        subprocess.run([*start, "true"], check=True, capture_output=True, timeout=60)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("no bubblewrap to change the system with")
    return start


def test_somebody_without_a_home(surroundings: dict[str, str], one: Path, tmp_path: Path) -> None:
    unknown = bubblewrap("--unshare-user", "--uid", "54321", "--gid", "54321")
    kept = {**surroundings}
    for name in ("XDG_STATE_HOME", "HOME"):
        del kept[name]
    refused = {6}, ["trust", str(one)]
    without = ({0}, ["trust", "list"]), ({0, 4}, ["run", "--plan", str(one)])
    for codes, words in (refused, *without):
        done = subprocess.run(
            [*unknown, sys.executable, "-m", "cmdpack", *words],
            env=kept,
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert done.returncode in codes
        assert "no home folder is known" in f"{done.stdout}{done.stderr}"
        assert "Traceback" not in done.stderr
    assert [it.name for it in tmp_path.iterdir()] == ["work"]


def test_a_full_disk(surroundings: dict[str, str], cli: Cli, one: Path, tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    small = bubblewrap("--size", "65536", "--tmpfs", str(tmp_path / "state"))
    write(tmp_path / "work" / "big.md", f"x = '''{'a' * 70_000}'''")
    script = (
        'cmdpack="$0 -m cmdpack"; $cmdpack trust work/one.md >out 2>&1 || exit 90\n'
        "$cmdpack trust work/big.md >out 2>err; echo $? >code\n"
        "$cmdpack trust list --json >list; ls -A state/cmdpack state/cmdpack/approved >left"
    )
    done = subprocess.run(
        [*small, "sh", "-c", script, sys.executable],
        env={**surroundings, "XDG_STATE_HOME": str(tmp_path / "state")},
        cwd=tmp_path,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0
    assert (tmp_path / "code").read_text() == "6\n"
    assert "the grant cannot be stored: No space left on device" in (tmp_path / "err").read_text()
    assert [it["path"] for it in json.loads((tmp_path / "list").read_text())["grants"]] == [
        str(one)
    ]
    assert ".new-" not in (tmp_path / "left").read_text()
