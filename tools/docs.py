"""Writes the generated parts of the documents: what cog finds in the Markdown, and the schemas.

python tools/docs.py [--check]

The functions here are called by the cog blocks of the documents. `tests/test_docs.py` runs every
command that a document shows; this keeps what stands below the commands true.
"""

import argparse
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import TypeAdapter

from cmdpack import errors
from cmdpack.cli.app import VERBS
from cmdpack.diagnostics import CODES
from cmdpack.events import Event
from cmdpack.result import RunResult

ROOT = Path(__file__).resolve().parents[1]
SCHEMAS = {
    "docs/schema/event.schema.json": TypeAdapter(Event),
    "docs/schema/result.schema.json": TypeAdapter(RunResult),
}

_COMMAND = re.compile(r"\$ (cmdpack .*?)(?:  +# exit code (\d+))?")
_FENCE = re.compile(
    r"^(?P<marks>`{3,})(?P<info>[^\n]*)\n(?P<text>.*?)^(?P=marks)$", re.MULTILINE | re.DOTALL
)
# What differs between machines, runs and versions of JAX: measured numbers, and keys of caches.
_VOLATILE = re.compile(
    r"[-+]?\d+(\.\d+)+(e[-+]\d+)?|\b[0-9a-f]{20}\b|\d+ executables?|\d+ from the cache"
    r"|files there now +\d+|\d+ [kMGT]?(FLOP|B)\b| +"
)

_SECONDS = {
    *("cpu", "run", "total", "units", "imports", "trace", "lower", "compile"),
    *("timeout", "seconds"),
}
_BYTES = {"peak_memory", "bytes_accessed"}
_COUNTED_FROM_1 = {"line", "column", "end_line", "end_column", "called_line"}


class Shown(NamedTuple):
    """A command line that a document shows, with the exit code that it says the command has."""

    line: str
    exit_code: int


def documents() -> list[Path]:
    """Every Markdown file that is written for people."""
    plugins = sorted((ROOT / "plugins").glob("*/README.md"))
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *plugins]


def commands_in(text: str) -> Iterator[Shown]:
    """The lines ``$ cmdpack ...`` in the console fences of a document, in order."""
    for fence in _FENCE.finditer(text):
        if fence["info"] == "console":
            for line in fence["text"].splitlines():
                if match := _COMMAND.fullmatch(line):
                    yield Shown(match[1], int(match[2] or 0))


def files_in(text: str) -> dict[str, str]:
    """The files that a document tells its reader to save: fences marked ``file=NAME``."""
    found = {}
    for fence in _FENCE.finditer(text):
        if name := re.search(r"file=(\S+)", fence["info"]):
            found[name[1]] = fence["text"]
    return found


def installs_in(text: str) -> list[str]:
    """The plugins that a document tells its reader to install: fences marked ``install=FOLDER``."""
    return [
        folder[1]
        for fence in _FENCE.finditer(text)
        if (folder := re.search(r"install=(\S+)", fence["info"]))
    ]


def run(
    line: str, files: dict[str, str], folder: Path, cache: Path, plugins: Sequence[str] = ()
) -> subprocess.CompletedProcess[str]:
    """Run one shown command in `folder`, where `files` are, on CPU devices; keep caches apart.

    No plugin is there but `plugins`: folders in `folder`, installed into one beside `cache`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    site = cache.with_name("site")
    for plugin in plugins:
        _install(folder / plugin, site / plugin)
    kept = {name: os.environ[name] for name in ("HOME", "PATH") if name in os.environ}
    environment = {
        **kept,
        **_plugins_at([site / plugin for plugin in plugins]),
        "COLUMNS": "100",
        "JAX_PLATFORMS": "cpu",
        "LANG": "C.UTF-8",
        "XDG_CACHE_HOME": str(cache),
    }
    words = shlex.split(line)
    return subprocess.run(
        [sys.executable, "-m", *words],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )


def _install(plugin: Path, site: Path) -> None:
    """Install as pip does, and from no index. Once: documents that share a site share a plugin."""
    if not site.exists():
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        alone = ["--no-index", "--no-build-isolation", "--no-deps"]
        subprocess.run([*pip, *alone, "--target", str(site), str(plugin)], check=True)


def _plugins_at(sites: Sequence[Path]) -> dict[str, str]:
    if not sites:
        return {"CMDPACK_NO_PLUGINS": "1"}
    ours = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    return {"PYTHONPATH": os.pathsep.join(filter(None, [*map(str, sites), *ours]))}


# Called by cog


def verbs() -> str:
    """A table of the verbs."""
    return _table(("verb", "what it does"), [(f"`{name}`", text) for name, text in VERBS.items()])


def help_of(*verb: str) -> str:
    """The help of one verb, or of cmdpack itself, as a terminal of 80 columns shows it."""
    line = " ".join(["cmdpack", *verb, "--help"])
    return _console(line, 0, _run_apart(line, {}).stdout)


def codes() -> str:
    """A table of the diagnostics."""
    return _table(("code", "meaning"), [(f"`{code}`", text) for code, text in CODES.items()])


def exit_codes() -> str:
    """The tree of errors with its exit codes, as `errors.py` draws it."""
    drawn = [line[4:] for line in (errors.__doc__ or "").splitlines() if line.startswith("    ")]
    return "```text\n" + "\n".join(drawn) + "\n```\n"


def decisions() -> str:
    """A list of the decision records, by their titles."""
    records = sorted((ROOT / "docs" / "adr").glob("*.md"))[1:]  # the first is the list itself
    titles = [record.read_text(encoding="utf-8").partition("\n")[0] for record in records]
    rows = zip(titles, records, strict=True)
    return "".join(f"- [{title.lstrip('# ')}]({record.name})\n" for title, record in rows)


def console(
    line: str, previous: str, document: str = "", *, sections: Collection[str] | None = None
) -> str:
    """What `line` prints, after the command itself, with the files of `document` at hand.

    Of a run, only the named `sections` are shown if any are named. Where the output differs from
    `previous` in nothing but what is volatile, `previous` stays.
    """
    text = (ROOT / document).read_text(encoding="utf-8") if document else ""
    done = _run_apart(line, files_in(text), installs_in(text))
    output = _legible(done.stdout)
    if sections is not None:
        output = _only(output, sections)
    text = _console(line, done.returncode, output)
    return previous if _fixed(text) == _fixed(previous) else text


def result_tables() -> str:
    """Every noun of a result with its fields."""
    schema = TypeAdapter(RunResult).json_schema()
    nouns = {"RunResult": schema, **schema["$defs"]}
    return "\n".join(_noun(name, noun) for name, noun in nouns.items())


def event_table() -> str:
    """Every event with its fields."""
    nouns = TypeAdapter(Event).json_schema()["$defs"].values()
    rows = []
    for noun in nouns:
        properties = dict(noun["properties"])
        if "event" in properties:
            name = properties.pop("event")["const"]
            fields = (f"`{field}`: {_type(shape)}" for field, shape in properties.items())
            rows.append((f"`{name}`", "<br>".join(fields)))
    return _table(("event", "fields"), rows)


def _noun(name: str, noun: dict[str, Any]) -> str:
    text = noun.get("description", "").replace("\n", " ").strip()
    rows = [
        (f"`{field}`", _type(shape), _unit(name, field, shape))
        for field, shape in noun["properties"].items()
    ]
    return f"### {name}\n\n{text}\n\n{_table(('field', 'type', 'unit'), rows)}"


def _unit(noun: str, field: str, shape: dict[str, Any]) -> str:
    kinds = {it.get("type") for it in [shape, *shape.get("anyOf", ())]}
    if "number" in kinds:
        if field in _SECONDS or field.endswith("_seconds"):
            return "s"
        raise LookupError(f"{noun}.{field} is measured, but in what? Say so in tools/docs.py")
    if "integer" in kinds and field in _COUNTED_FROM_1:
        return "from 1"
    if field == "flops":
        return "FLOP"
    return "bytes" if field in _BYTES else ""


def _type(shape: dict[str, Any]) -> str:
    match shape:
        case {"$ref": reference}:
            name = reference.rpartition("/")[2]
            text = f"[{name}](#{name.lower()})" if name != "Plan" else "the plan"
        case {"anyOf": shapes}:
            text = " or ".join(map(_type, shapes))
        case {"enum": values}:
            text = ", ".join(f"`{value}`" for value in values)
        case {"const": value}:
            text = f"`{value}`"
        case {"type": "array", "items": items}:
            text = f"list of {_type(items)}"
        case {"type": "object", "additionalProperties": values}:
            text = f"map to {_type(values)}"
        case _:
            text = str(shape["type"])
    return text


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _console(line: str, code: int, output: str) -> str:
    note = f"  # exit code {code}" if code else ""
    return f"```console\n$ {line}{note}\n{output.rstrip()}\n```\n"


def _run_apart(
    line: str, files: dict[str, str], plugins: Sequence[str] = ()
) -> subprocess.CompletedProcess[str]:
    """Run `line` in a folder called `work`, with nothing in the compile cache."""
    with tempfile.TemporaryDirectory() as folder:
        done = run(line, files, Path(folder, "work"), Path(folder, "cache"), plugins)
        done.stdout = done.stdout.replace(f"{folder}/cache", "~/.cache")
        for plugin in plugins:
            done.stdout = done.stdout.replace(f"{folder}/site/{plugin}", ".venv/site-packages")
        return done


def _legible(text: str) -> str:
    """Shorten what is long and private: where this machine keeps things."""
    for place, name in ((sys.prefix, ".venv"), (str(ROOT), ".")):
        text = text.replace(place, name)
    return re.sub(r"\.venv/bin/python[\d.]*", ".venv/bin/python", text)


def _only(output: str, sections: Collection[str]) -> str:
    """Keep the lines of the named sections; what is left out shows as three dots."""
    kept: list[str] = []
    shown = True
    for line in output.splitlines():
        if not line.startswith("    "):
            shown = not line.startswith("  ") or line.strip() in sections
        if shown:
            kept.append(line)
        elif kept[-1] != "  ...":
            kept.append("  ...")
    return "\n".join(kept)


def _fixed(text: str) -> str:
    return _VOLATILE.sub(" ", text)


# The files


def _write_schemas(*, check: bool) -> list[str]:
    stale = []
    for name, adapter in SCHEMAS.items():
        schema = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
        text = json.dumps(schema | adapter.json_schema(mode="serialization"), indent=2) + "\n"
        path = ROOT / name
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            stale.append(name)
            if not check:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")
    return stale


def main() -> int:
    """Bring the documents up to date, or with ``--check`` say which are not. Returns a status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="change nothing; fail if stale")
    check = parser.parse_args().check
    from cogapp import Cog  # noqa: PLC0415 - the tests use this module, and need no cog

    stale = _write_schemas(check=check)
    for name in stale:
        sys.stdout.write(f"{name} {'is stale' if check else 'written'}\n")
    mode = ["--check", "--diff"] if check else ["-r"]
    tools = str(ROOT / "tools")
    files = [str(path.relative_to(ROOT)) for path in documents()]
    os.chdir(ROOT)
    status: int = Cog().main(["cog", "--verbosity=1", "-U", "-I", tools, *mode, *files])
    return status or int(check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
