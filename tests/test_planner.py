import pytest

from cmdpack import planner
from cmdpack.child import units
from cmdpack.codefacts import CodeFacts, UnitFacts
from cmdpack.errors import ContentError, UnavailableError, UsageError
from cmdpack.parse import parse_command
from cmdpack.plan import (
    Arguments,
    Chain,
    Command,
    CompileCache,
    PackOrigin,
    Plan,
    PythonFacts,
    Trust,
    identities,
)
from cmdpack.planner import Wishes

HEAD = "---\ntitle: T\n---\n\n# T\n\n"
FENCE = "```python\nx = 1\nprint(x)\n```\n"
PYTHON = PythonFacts(
    executable="/env/bin/python",
    version="3.12.1",
    implementation="cpython",
    chosen_because="--python",
    versions={"jax": "0.10.2", "jaxlib": "0.10.2"},
)
CUDA = PYTHON.model_copy(update={"accelerators": ("cuda",)})


def command(text: str = HEAD + FENCE, name: str = "one", trust: Trust = "built-in") -> Command:
    pack = PackOrigin(name="pack", path="pack", trust=trust, source="built-in")
    return Command(spec=parse_command(text, f"pack/{name}.md"), pack=pack)


def facts(*commands: Command) -> dict[str, CodeFacts]:
    found = {}
    for it in commands:
        for example in it.spec.examples:
            place = units.Place(example.line, example.prefixes)
            tree, nodes = units.parse(example.code, "file", place)
            found[planner.example_key(it, example)] = CodeFacts(
                units=tuple(UnitFacts.model_validate(units.describe(node)) for node in nodes),
                imports=tuple(units.imports(tree)),
            )
    return found


def plan(
    *commands: Command,
    arguments: Arguments | None = None,
    needed_by: dict[str, tuple[str, ...]] | None = None,
    trust: Trust = "built-in",
    **wishes: object,
) -> Plan:
    return planner.make_plan(
        Chain(commands=commands, needed_by=needed_by or {}),
        arguments or Arguments(),
        python=PYTHON,
        code=facts(*commands),
        wishes=Wishes(**wishes),  # type: ignore[arg-type]
        trust=trust,
        cache=CompileCache(directory=None, reason="--fresh"),
        environment={},
    )


# Trust


def test_the_trust_of_a_run_is_the_lowest_of_its_parts() -> None:
    own, foreign, user = (command(trust=it) for it in ("built-in", "plugin", "user"))
    assert planner.admit([own]) == "built-in"
    assert planner.admit([own, foreign]) == "plugin"
    assert planner.admit([foreign, own]) == "plugin"
    assert planner.admit([user, own]) == "user"


@pytest.mark.parametrize(
    ("text", "place", "code"),
    [
        ("---\n\ttitle: x\n---\n\n" + FENCE, "pack/one.md:2:1", "FM001"),
        (HEAD + "```python\nx = 1\n", "pack/one.md:7:1", "MD001"),
        (HEAD + FENCE + "\n```text\nwords\n", "pack/one.md:12:1", "MD001"),
    ],
)
def test_a_file_that_is_broken_or_cut_short_is_not_run(text: str, place: str, code: str) -> None:
    with pytest.raises(ContentError) as caught:
        planner.admit([command(text), command()])
    assert caught.value.place == place
    assert caught.value.message.startswith(f"[{code}] ")
    assert caught.value.help


def test_the_number_of_further_errors_is_told() -> None:
    text = "---\nno key\ntitle: x\nagain none\n---\n" + FENCE
    with pytest.raises(ContentError, match=r"\(and 1 more\)\n"):
        planner.admit([command(text)])


# JAX and its platforms


def test_examples_that_need_jax_need_a_python_that_has_it() -> None:
    needing = command(HEAD + "```python\nimport jax.numpy as jnp\n```\n")
    planner.require_jax([command()], PYTHON, facts(command()))
    with pytest.raises(UnavailableError) as caught:
        planner.require_jax([needing], PYTHON, facts(needing))
    said = str(caught.value)
    assert "\n" not in said
    assert "`/env/bin/python -m pip install jax`" in said
    assert "(--python)" in said


@pytest.mark.parametrize(
    ("wishes", "python", "variables"),
    [
        ({}, PYTHON, {}),
        ({}, CUDA, {}),
        ({"platform": "cpu"}, PYTHON, {"JAX_PLATFORMS": "cpu"}),
        ({"platform": "cuda"}, CUDA, {"JAX_PLATFORMS": "cuda"}),
        ({"platform": "gpu"}, CUDA, {"JAX_PLATFORMS": "cuda"}),
        ({"emulate": 8}, CUDA, {"JAX_PLATFORMS": "cpu", "JAX_NUM_CPU_DEVICES": "8"}),
        (
            {"emulate": 2, "platform": "cpu"},
            PYTHON,
            {"JAX_PLATFORMS": "cpu", "JAX_NUM_CPU_DEVICES": "2"},
        ),
    ],
)
def test_the_variables_that_make_jax_use_a_platform(
    wishes: dict[str, object], python: PythonFacts, variables: dict[str, str]
) -> None:
    assert planner.platform_variables(Wishes(**wishes), python) == variables  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("platform", "python", "exists", "extra"),
    [
        ("cuda", PYTHON, "cpu", "jax[cuda13]"),
        ("gpu", PYTHON, "cpu", "jax[cuda13]"),
        ("tpu", PYTHON, "cpu", "jax[tpu]"),
        ("tpu", CUDA, "cpu, cuda", "jax[tpu]"),
        ("rocm", CUDA, "cpu, cuda", "jax[rocm7-local]"),
    ],
)
def test_a_platform_that_is_not_there(
    platform: str, python: PythonFacts, exists: str, extra: str
) -> None:
    with pytest.raises(UnavailableError) as caught:
        planner.platform_variables(Wishes(platform=platform), python)
    error = caught.value
    assert error.place == "/env/bin/python"
    assert error.message == (
        f"asked for --platform {platform}, but the JAX of this Python has only: {exists}"
    )
    assert error.help == f"install {extra} there, or name one of these"


def test_emulated_devices_are_cpu_devices() -> None:
    with pytest.raises(UsageError, match="--platform asks for cuda"):
        planner.platform_variables(Wishes(platform="cuda", emulate=2), CUDA)


def test_an_nvidia_device_that_jax_cannot_use_is_told() -> None:
    [note] = planner.device_notes(PYTHON, {}, nvidia=True)
    assert note.code == "device"
    assert "shows an NVIDIA device" in note.message
    assert "the run is on the CPU" in note.message
    assert "jax[cuda13]" in note.message
    assert planner.device_notes(PYTHON, {"JAX_PLATFORMS": ""}, nvidia=True) == [note]
    assert planner.device_notes(PYTHON, {}, nvidia=False) == []
    assert planner.device_notes(CUDA, {}, nvidia=True) == []
    assert planner.device_notes(PYTHON, {"JAX_PLATFORMS": "cpu"}, nvidia=True) == []


@pytest.mark.parametrize(
    ("python", "named", "platform", "said"),
    [
        (PYTHON, "cuda,cpu", "cpu", "JAX_PLATFORMS=cuda,cpu: it could not start cuda"),
        (CUDA, "", "cpu", "an installed plugin for cuda: it could not start cuda"),
        (CUDA, None, "cpu", "an installed plugin for cuda"),
        (CUDA, "cpu", "cpu", None),
        (CUDA, "cpu,cuda", "cpu", None),
        (CUDA, None, "gpu", None),
        (CUDA, "cuda,cpu", "gpu", None),
        (CUDA, None, None, None),
        (PYTHON, None, "cpu", None),
    ],
)
def test_a_fall_back_to_the_cpu_is_always_told(
    python: PythonFacts, named: str | None, platform: str | None, said: str | None
) -> None:
    environment = {} if named is None else {"JAX_PLATFORMS": named}
    notes = planner.fallback_notes(python, environment, platform)
    assert [note.code for note in notes] == ["device"] * (said is not None)
    assert said is None or said in notes[0].message


# The plan


def test_units_belong_to_the_section_that_they_stand_in() -> None:
    banner = "# ---------\n# 2. Second\n# ---------\n"
    text = HEAD + f"```python\nimport json\n{banner}a = 1\nb = 2\n```\n\n## Third\n\n" + FENCE
    [planned] = plan(command(text)).commands
    titles = {section.id: section.title for section in planned.sections}
    assert [
        (unit.id, titles[unit.section]) for example in planned.examples for unit in example.units
    ] == [
        ("one:8:1", "T"),
        ("one:12:1", "Second"),
        ("one:13:1", "Second"),
        ("one:19:1", "Third"),
        ("one:20:1", "Third"),
    ]


def test_dependencies_say_who_needs_them() -> None:
    base, middle, one = (f"pack/{name}.md" for name in ("base", "middle", "one"))
    commands = command(name="base"), command(name="middle"), command()
    made = plan(*commands, needed_by={base: (middle, one), middle: (one,), one: ()})
    assert [(it.name, it.role, it.reason) for it in made.commands] == [
        ("base", "dependency", "needed by middle, one"),
        ("middle", "dependency", "needed by one"),
        ("one", "target", "asked for"),
    ]
    assert made.command == "one"


def other(path: str, pack: str) -> Command:
    origin = PackOrigin(name=pack, path=pack, trust="user", source=pack)
    return Command(spec=parse_command(HEAD + FENCE, path), pack=origin)


@pytest.mark.parametrize(
    ("commands", "ids"),
    [
        ([other("a/one.md", "p"), other("a/two.md", "p")], ["one", "two"]),
        ([other("a/one.md", "p"), other("b/one.md", "q")], ["p:one", "q:one"]),
        ([other("a/one.md", "p"), other("b/one.md", "p")], ["a/one.md", "b/one.md"]),
        (
            [other("a/one.md", "p"), other("b/one.md", "p"), other("c/one.md", "q")],
            ["a/one.md", "b/one.md", "q:one"],
        ),
        (
            [other("a/one.md", "p"), other("b/one.md", "q"), other("c/p:one.md", "r")],
            ["a/one.md", "q:one", "r:p:one"],
        ),
    ],
)
def test_commands_of_one_name_are_told_apart(commands: list[Command], ids: list[str]) -> None:
    assert list(identities(commands).values()) == ids
    made = plan(*commands)
    assert [it.id for it in made.commands] == ids
    assert made.command == ids[-1]
    assert [it.name for it in made.commands] == [it.spec.name for it in commands]
    units = [unit.id for it in made.commands for example in it.examples for unit in example.units]
    assert units == [f"{it}:{line}:1" for it in ids for line in (8, 9)]


def test_a_plan_with_two_units_of_one_id_is_refused() -> None:
    made = plan(command()).model_dump()
    made["commands"] *= 2
    with pytest.raises(ValueError, match="units of one id: one:8:1, one:9:1"):
        Plan.model_validate(made)


def test_paths_in_tracebacks_are_absolute() -> None:
    [planned] = plan(command()).commands
    assert planned.path == "pack/one.md"
    assert planned.file.startswith("/")
    assert planned.file.endswith("/pack/one.md")


@pytest.mark.parametrize(
    "body", ["", "Words.\n", "```python\n```\n", "```python\n# a remark\n```\n", "```sh\nls\n```\n"]
)
def test_nothing_to_run(body: str) -> None:
    with pytest.raises(ContentError, match="nothing to run: it holds no Python example") as caught:
        plan(command(), command(HEAD + body, "two"))
    assert caught.value.place == "pack/two.md"


def test_an_example_that_is_not_python_is_refused_at_its_place() -> None:
    code = {
        "pack/one.md/e1": CodeFacts.model_validate(
            {"error": {"message": "invalid syntax", "line": 9, "column": None}}
        )
    }
    with pytest.raises(ContentError) as caught:
        planner.make_plan(
            Chain(commands=(command(),)),
            Arguments(),
            python=PYTHON,
            code=code,
            wishes=Wishes(),
            trust="built-in",
            cache=CompileCache(directory=None, reason="none"),
            environment={},
        )
    assert caught.value.place == "pack/one.md:9:1"
    assert caught.value.message == "[PY001] this example is not Python: invalid syntax"


def test_what_options_do_not_do_is_noted() -> None:
    text = (
        '---\ntitle: T\nargument-hint: "[--mode=fast|slow] [--agents=jax] [--other] [--x]"\n'
        "---\n\n# T\n\n## Fast\n\n" + FENCE
    )
    given = ("--mode=fast", "--other", "--agents=jax")
    arguments = Arguments(given=given, values={"mode": "fast", "other": True, "agents": "jax"})
    made = plan(command(text), arguments=arguments)
    assert [(note.code, note.message) for note in made.notes] == [
        ("selection", "--agents=jax: concerns only an assistant, no effect on a run"),
        ("selection", "--other: selects nothing in this command, no effect on a run"),
    ]
    assert plan(command(text)).notes == ()


def test_an_option_for_another_engine_is_not_said_to_do_nothing() -> None:
    text = "---\ntitle: T\nengine: far\noptions:\n  runs: {help: how often}\n---\n\n# T\n\n"
    arguments = Arguments(given=("--runs",), values={"runs": True})
    assert plan(command(text + FENCE), arguments=arguments).notes == ()


def test_one_note_for_each_file_in_which_something_is_odd() -> None:
    odd = command("# No frontmatter\n\n```python :odd\nx = 1\n```\n", "odd")
    made = plan(odd, command("# None\n\n" + FENCE))
    assert [note.code for note in made.notes] == ["content", "content"]
    assert made.notes[0].message == (
        "pack/odd.md:1:1: the file has no frontmatter (FM003); 1 more: `cmdpack show pack/odd.md`"
    )
    assert made.notes[1].message == "pack/one.md:1:1: the file has no frontmatter (FM003)"


@pytest.mark.parametrize(
    ("trust", "wish", "keep_going"),
    [
        *(("built-in", None, True), ("plugin", None, False), ("user", None, False)),
        *(("built-in", False, False), ("user", True, True), ("plugin", True, True)),
    ],
)
def test_a_run_goes_on_after_a_failure_of_our_own_code_or_where_told_to(
    trust: Trust, wish: bool | None, keep_going: bool
) -> None:
    made = plan(command(), trust=trust, keep_going=wish)
    assert made.keep_going == keep_going


def test_a_run_can_be_started_from_its_plan_alone() -> None:
    made = plan(command(name="base"), command(), timeout=3.5, emulate=2)
    assert Plan.model_validate_json(made.model_dump_json()) == made
    assert (made.timeout, made.emulate, made.engine) == (3.5, 2, "examples")
