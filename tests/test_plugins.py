"""Plugins are real distributions here: a dist-info folder on the path, as pip leaves it."""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from cmdpack.errors import ResolutionError
from cmdpack.plugins import NO_PLUGINS, Plugins, build_manager

Install = Callable[..., Path]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Install]:
    """Install a distribution NAME whose module NAME_plugin holds the code."""
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)

    def install(name: str, code: str, *, metadata: str | None = None) -> Path:
        info = tmp_path / f"{name}-1.5.dist-info"
        info.mkdir()
        fields = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.5\n"
        (info / "METADATA").write_text(fields if metadata is None else metadata)
        (info / "entry_points.txt").write_text(f"[cmdpack]\n{name} = {name}_plugin\n")
        module = tmp_path / f"{name}_plugin.py"
        module.write_text(f"from cmdpack.hookspecs import *\nfrom pathlib import Path\n{code}")
        return module

    yield install
    for module in set(sys.modules) - before:
        if module.endswith("_plugin"):
            del sys.modules[module]


def names(plugins: Plugins) -> list[str]:
    return [plugin.name for plugin in plugins.loaded]


def test_cmdpack_registers_itself_through_the_hooks() -> None:
    [own] = build_manager(entry_points=False).loaded
    assert own.built_in
    assert [engine.name for engine in own.engines] == ["examples"]
    assert [target.name for target in own.targets] == ["claude"]


def test_hook_packs(install: Install, tmp_path: Path) -> None:
    install("apple", f"@hookimpl\ndef packs():\n    return [Path({str(tmp_path)!r})]\n")
    plugin = build_manager().loaded[-1]
    assert (plugin.name, plugin.distribution, plugin.version) == ("apple", "apple", "1.5")
    assert plugin.packs == (tmp_path,)
    assert not plugin.built_in


def test_hook_engines(install: Install) -> None:
    install(
        "apple",
        "@hookimpl\n"
        "def engines():\n"
        "    return [EngineSpec(name='far', help='runs far away', load='apple_plugin:Far')]\n"
        "class Far:\n    speed = 3\n",
    )
    plugins = build_manager()
    assert plugins.loaded[-1].engines[0].help == "runs far away"
    assert getattr(plugins.load_engine("far"), "speed", None) == 3


def test_hook_targets(install: Install) -> None:
    install(
        "apple",
        "@hookimpl\n"
        "def targets():\n"
        "    return [TargetSpec(name='pear', help='Pear', load='apple_plugin:Kinds.Pear')]\n"
        "class Kinds:\n    class Pear:\n        taste = 'sweet'\n",
    )
    assert getattr(build_manager().load_target("pear"), "taste", None) == "sweet"


@pytest.mark.parametrize(
    ("code", "fact"),
    [
        ("1 / 0\n", "raised ZeroDivisionError: division by zero"),
        ("raise SystemExit(3)\n", "raised SystemExit: 3"),
        ("import no_such_module_anywhere\n", "raised ModuleNotFoundError"),
        ("def broken(:\n", "raised SyntaxError"),
        ("print('hello')\n", "printed to standard output while loading: 'hello'"),
        ("class Odd(BaseException): pass\nraise Odd('x')\n", "raised Odd: x"),
        ("raise OSError(2, 'gone', '\\udcff')\n", "raised FileNotFoundError: [Errno 2] gone: "),
        (
            "class Mute(Exception):\n    def __str__(self): 1 / 0\nraise Mute\n",
            "raised Mute; it is left out",
        ),
        ("@hookimpl\ndef packs():\n    raise KeyError('k')\n", "raised KeyError: 'k'"),
        ("@hookimpl\ndef packs():\n    return ['relative']\n", "returned 'relative', which is no"),
        ("@hookimpl\ndef packs():\n    return [Path('r')]\n", "r, which is not an absolute path"),
        ("@hookimpl\ndef engines():\n    return 3\n", "raised TypeError"),
        ("@hookimpl\ndef engines():\n    return [Path()]\n", "which is no EngineSpec"),
        (
            "@hookimpl\ndef engines():\n    return [EngineSpec(name='a b', help='', load='x:y')]\n",
            "raised ValidationError",
        ),
        ("@hookimpl\ndef packages():\n    return []\n", "raised PluginValidationError"),
        ("@hookimpl\ndef packs(registry):\n    return []\n", "raised PluginValidationError"),
    ],
)
def test_a_plugin_that_fails_is_named_and_the_others_go_on(
    install: Install, capsys: pytest.CaptureFixture[str], code: str, fact: str
) -> None:
    install("apple", code)
    install("banana", "")
    plugins = build_manager()
    assert names(plugins) == ["cmdpack", "banana"]
    [diagnostic] = plugins.diagnostics
    assert diagnostic.code == "PL001"
    assert diagnostic.message.startswith("plugin apple (distribution apple) ")
    assert fact in diagnostic.message
    assert diagnostic.message.endswith("it is left out")
    assert "apple" in (diagnostic.help or "")
    assert capsys.readouterr().out == ""


def test_a_failure_is_placed_in_the_plugin(install: Install) -> None:
    module = install("apple", "\n\nvalue = {}['missing']\n")
    [diagnostic] = build_manager().diagnostics
    assert (diagnostic.path, diagnostic.span.line) == (str(module), 5)


def test_a_syntax_error_is_placed_in_the_plugin(install: Install) -> None:
    module = install("apple", "\ndef broken(:\n")
    [diagnostic] = build_manager().diagnostics
    assert (diagnostic.path, diagnostic.span.line) == (str(module), 4)


def test_an_interrupt_is_the_users(install: Install) -> None:
    install("apple", "raise KeyboardInterrupt\n")
    with pytest.raises(KeyboardInterrupt):
        build_manager()


def test_damaged_metadata_costs_only_the_version(install: Install) -> None:
    install("apple", "", metadata="")
    plugin = build_manager().loaded[-1]
    assert (plugin.name, plugin.distribution, plugin.version) == ("apple", "unknown", "unknown")


@pytest.mark.parametrize("content", [b"[cmdpack]\nnonsense\n", b"\xff[cmdpack]\na = b\n"])
def test_a_damaged_distribution_does_not_stop_the_others(
    install: Install, tmp_path: Path, content: bytes
) -> None:
    install("apple", "")
    install("banana", "")
    (tmp_path / "apple-1.5.dist-info" / "entry_points.txt").write_bytes(content)
    assert names(build_manager()) == ["cmdpack", "banana"]


def test_of_a_distribution_installed_twice_the_first_counts(
    install: Install, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("apple", "")
    later = tmp_path / "later"
    info = later / "apple-1.4.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: apple\nVersion: 1.4\n")
    (info / "entry_points.txt").write_text("[cmdpack]\napple = apple_plugin\n")
    monkeypatch.setattr(sys, "path", [*sys.path, str(later)])
    assert [plugin.version for plugin in build_manager().loaded[1:]] == ["1.5"]


def test_third_party_plugins_can_be_left_out(
    install: Install, monkeypatch: pytest.MonkeyPatch
) -> None:
    install("apple", "1 / 0\n")
    monkeypatch.setenv(NO_PLUGINS, "1")
    assert names(build_manager()) == ["cmdpack"]
    monkeypatch.setenv(NO_PLUGINS, "0")
    assert build_manager().diagnostics != ()
    assert names(build_manager(entry_points=False)) == ["cmdpack"]


def test_what_an_engine_prints_while_loading_is_no_output_of_ours(
    install: Install, capsys: pytest.CaptureFixture[str]
) -> None:
    install(
        "apple",
        "@hookimpl\ndef engines():\n"
        "    return [EngineSpec(name='x', help='', load='apple_plugin:make')]\n"
        "def make():\n    print('hello')\n    return 3\n",
    )
    assert build_manager().load_engine("x") == 3
    out, err = capsys.readouterr()
    assert (out, err) == ("", "hello\n")


def test_an_engine_that_nobody_registers() -> None:
    with pytest.raises(ResolutionError, match="no engine is named warp") as raised:
        build_manager(entry_points=False).load_engine("warp")
    assert "installed are: examples" in str(raised.value)


def test_an_engine_that_two_register(install: Install) -> None:
    code = "@hookimpl\ndef engines():\n    return [EngineSpec(name='x', help='', load='a:b')]\n"
    install("apple", code)
    install("banana", code)
    with pytest.raises(ResolutionError, match="the engine x is registered by apple and banana"):
        build_manager().load_engine("x")


@pytest.mark.parametrize("load", ["no_such_module_anywhere:X", "apple_plugin:Y", "apple_plugin:Z"])
def test_an_engine_that_cannot_be_loaded(install: Install, load: str) -> None:
    install(
        "apple",
        f"@hookimpl\ndef engines():\n    return [EngineSpec(name='x', help='', load={load!r})]\n"
        "def Z():\n    raise SystemExit\n",
    )
    plugins = build_manager()
    with pytest.raises(
        ResolutionError, match=f"the engine x cannot be loaded from {load}"
    ) as raised:
        plugins.load_engine("x")
    assert "apple" in (raised.value.help or "")


PAST_STDOUT = "import os, sys\nos.write(1, b'raw ')\nsys.__stdout__.write('under')\n"


@pytest.mark.parametrize(
    "code",
    [PAST_STDOUT, "import subprocess\nsubprocess.run(['echo', 'raw under'], check=True)\n"],
    ids=["descriptor", "subprocess"],
)
@pytest.mark.parametrize("hook", [False, True], ids=["loading", "hook"])
def test_nothing_that_a_plugin_writes_reaches_our_output(
    install: Install, capfd: pytest.CaptureFixture[str], code: str, hook: bool
) -> None:
    body = "".join(f"    {line}\n" for line in code.splitlines())
    install("apple", f"@hookimpl\ndef packs():\n{body}    return []\n" if hook else code)
    os.write(1, b"ours ")
    plugins = build_manager()
    os.write(1, b"again")
    assert names(plugins) == ["cmdpack"]
    [diagnostic] = plugins.diagnostics
    assert diagnostic.code == "PL001"
    assert "printed to standard output while loading: 'raw under'" in diagnostic.message
    out, err = capfd.readouterr()
    assert (out, err) == ("ours again", "")


def test_what_an_engine_writes_while_loading_goes_to_standard_error(
    install: Install, capfd: pytest.CaptureFixture[str]
) -> None:
    install(
        "apple",
        "import os\n@hookimpl\ndef engines():\n"
        "    return [EngineSpec(name='x', help='', load='apple_plugin:make')]\n"
        "def make():\n    os.write(1, b'raw')\n    return 3\n",
    )
    assert build_manager().load_engine("x") == 3
    assert capfd.readouterr() == ("", "raw")
