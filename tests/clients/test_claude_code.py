"""The export in the real client: Claude Code reads it, installs it, expands it and runs from it.

`CMDPACK_CLIENTS` names the folder that `.ci/clients` filled. The client gets a home of its own,
none of this machine's variables, and a model on loopback that says what the test tells it to.
"""

import json
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Sequence
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PLUGIN = ROOT / "exports" / "claude"
CLIENTS = os.environ.get("CMDPACK_CLIENTS")
COMMANDS = {path.stem for path in (ROOT / "commands").glob("*.md")}

pytestmark = [
    pytest.mark.clients,
    pytest.mark.skipif(not CLIENTS, reason="CMDPACK_CLIENTS names no folder (see .ci/clients)"),
]


class Model(ThreadingHTTPServer):
    """A Messages API that asks for `calls`, one shell command a turn, and then says "done"."""

    daemon_threads = True

    def __init__(self, calls: Sequence[str]) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.calls = list(calls)
        self.requests: list[dict[str, Any]] = []

    def texts(self) -> list[str]:
        """The text blocks of the conversation as it was last sent."""
        contents = [message["content"] for message in self.requests[-1]["messages"]]
        return [
            text
            for content in contents
            for text in (
                [content]
                if isinstance(content, str)
                else [block["text"] for block in content if block["type"] == "text"]
            )
        ]


class Answer(BaseHTTPRequestHandler):
    server: Model

    def log_message(self, format: str, *args: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self._send(200, "text/plain", b"")

    def do_GET(self) -> None:
        self._send(404, "text/plain", b"")

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if self.path.partition("?")[0] != "/v1/messages":
            self._send(404, "text/plain", b"")
            return
        self.server.requests.append(request)
        events = reply(request["model"], self.server.calls)
        text = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events)
        self._send(200, "text/event-stream", text.encode())

    def _send(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def reply(model: str, calls: list[str]) -> list[dict[str, Any]]:
    """One streamed answer: the next of `calls` as a use of the Bash tool, or a closing word."""
    if calls:
        block = {"type": "tool_use", "id": f"toolu_{len(calls)}", "name": "Bash", "input": {}}
        arguments = json.dumps({"command": calls.pop(0), "description": "as told"})
        delta, stop = {"type": "input_json_delta", "partial_json": arguments}, "tool_use"
    else:
        block = {"type": "text", "text": ""}
        delta, stop = {"type": "text_delta", "text": "done"}, "end_turn"
    usage = {"input_tokens": 1, "output_tokens": 1}
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": usage,
    }
    end = {"stop_reason": stop, "stop_sequence": None}
    return [
        {"type": "message_start", "message": message},
        {"type": "content_block_start", "index": 0, "content_block": block},
        {"type": "content_block_delta", "index": 0, "delta": delta},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": end, "usage": usage},
        {"type": "message_stop"},
    ]


class Client:
    """The client of one test, in a home of its own under `folder`."""

    def __init__(self, folder: Path) -> None:
        (self.binary,) = (
            Path(str(CLIENTS)).resolve().glob("node_modules/@anthropic-ai/claude-code-*/claude")
        )
        self.home = folder / "home"
        self.bin = folder / "bin"
        self.work = folder / "work"
        for path in (self.home, self.bin, self.work):
            path.mkdir()

    def run(self, *arguments: str, model: str = "http://127.0.0.1:9") -> tuple[int, str]:
        """Run the client to its end, with everything that it started, and return its output."""
        environment = {
            "HOME": str(self.home),
            "PATH": f"{self.bin}:/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "ANTHROPIC_API_KEY": "none",
            "ANTHROPIC_BASE_URL": model,
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "DISABLE_AUTOUPDATER": "1",
            "DISABLE_ERROR_REPORTING": "1",
            "DISABLE_TELEMETRY": "1",
        }
        process = subprocess.Popen(
            [self.binary, *arguments],
            env=environment,
            cwd=self.work,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            output, _ = process.communicate(timeout=120)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        return process.returncode, output

    def json(self, *arguments: str) -> Any:
        status, output = self.run(*arguments)
        assert status == 0, output
        return json.loads(output)

    def install(self) -> None:
        for arguments in (
            ("marketplace", "add", str(ROOT)),
            ("install", "cmdpack-jax@cmdpack"),
        ):
            status, output = self.run("plugin", *arguments)
            assert status == 0, output

    def prompt(self, text: str, *calls: str) -> tuple[dict[str, Any], Model]:
        """Give the client one prompt and the model its `calls`; return the client's result."""
        with Model(calls) as model:
            thread = threading.Thread(target=model.serve_forever)
            thread.start()
            try:
                status, output = self.run(
                    "-p",
                    text,
                    "--output-format",
                    "json",
                    model=f"http://127.0.0.1:{model.server_port}",
                )
            finally:
                model.shutdown()
                thread.join()
        assert status == 0, output
        return json.loads(output), model


@pytest.fixture
def client(tmp_path: Path) -> Client:
    return Client(tmp_path)


@pytest.fixture
def installed(client: Client) -> Client:
    client.install()
    return client


@pytest.fixture
def recorder(client: Client) -> Path:
    """A `cmdpack` on the client's path that only writes down how it was called, one line a call."""
    calls = client.work / "calls"
    calls.touch()
    script = client.bin / "cmdpack"
    script.write_text(f'#!/bin/sh\nprintf "%s\\n" "$*" >> "{calls}"\necho "jax-essentials: ok"\n')
    script.chmod(0o755)
    return calls


@pytest.mark.parametrize("folder", [PLUGIN, ROOT], ids=["plugin", "marketplace"])
def test_the_client_finds_nothing_wrong(client: Client, folder: Path) -> None:
    report = client.json("plugin", "validate", "--strict", "--json", str(folder))
    assert report["success"] is True
    assert report["manifest"]["errors"] == report["manifest"]["warnings"] == []
    assert report["contents"] == []


def test_the_client_provides_both_commands(client: Client) -> None:
    report = client.json("plugin", "validate", "--json", str(PLUGIN))
    assert set(report["provides"]["commands"]) == {f"cmdpack-jax:{name}" for name in COMMANDS}
    assert [item for item in report["directory"]["findings"] if item["blocking"]] == []


def test_a_broken_export_does_not_pass(client: Client, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(PLUGIN, broken)
    manifest = broken / ".claude-plugin" / "plugin.json"
    manifest.write_text(manifest.read_text().replace('"name": "cmdpack-jax"', '"name": "cmd pack"'))
    status, _ = client.run("plugin", "validate", str(broken))
    assert status != 0


def test_installs_from_the_marketplace_of_the_repository(installed: Client) -> None:
    (plugin,) = installed.json("plugin", "list", "--json")
    assert plugin["id"] == "cmdpack-jax@cmdpack"
    assert plugin["enabled"] is True
    copied = Path(plugin["installPath"])
    assert {path.stem for path in (copied / "commands").iterdir()} == COMMANDS
    status, details = installed.run("plugin", "details", "cmdpack-jax")
    assert status == 0, details
    assert all(name in details for name in COMMANDS)


def test_expands_to_the_instruction_with_the_arguments_once(installed: Client) -> None:
    given = "--operation=grad --higher-order"
    _, model = installed.prompt(f"/cmdpack-jax:jax-essentials {given}")
    (body,) = [text for text in model.texts() if "cmdpack run jax-essentials" in text]
    assert body.count(given) == 1
    assert "$ARGUMENTS" not in body
    assert body.startswith("Run the examples of `jax-essentials`")


def test_only_its_own_run_needs_no_permission(installed: Client, recorder: Path) -> None:
    allowed = ["cmdpack run jax-essentials --operation=grad", "cmdpack run jax-essentials"]
    denied = [
        "cmdpack run --sandbox off x.md",
        "cmdpack run jax-essentials.md",
        "cmdpack run jax-essentials/x.md",
        "cmdpack run jax-essentials-2",
        "cmdpack run jax-init",
        "cmdpack run jax-essentials; touch other",
        "cmdpack run jax-essentials --operation=$(touch other)",
        "cmdpack run jax-essentials > other",
        "PYTHONPATH=. cmdpack run jax-essentials",
        "cmdpack trust .",
    ]
    result, _ = installed.prompt("/cmdpack-jax:jax-essentials", *allowed, *denied)
    refused = [entry["tool_input"]["command"] for entry in result["permission_denials"]]
    assert refused == denied
    assert recorder.read_text().splitlines() == [call.removeprefix("cmdpack ") for call in allowed]
    assert not (installed.work / "other").exists()


def test_without_the_command_nothing_is_allowed(installed: Client, recorder: Path) -> None:
    result, _ = installed.prompt("hello", "cmdpack run jax-essentials")
    assert len(result["permission_denials"]) == 1
    assert recorder.read_text() == ""
