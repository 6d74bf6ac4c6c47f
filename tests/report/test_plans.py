from cmdpack.plan import CompileCache, Note, Plan, Recordings
from cmdpack.report import plans


def test_everything_that_a_run_would_depend_on_is_shown(plan: Plan) -> None:
    noted = plan.model_copy(
        update={"notes": (Note(code="content", message="odd"),), "content": "sha256:0"}
    )
    assert "\n".join(plans.lines(noted)).splitlines() == [
        "plan: one --mode=fast",
        "python         /env/bin/python 3.12.1, --python",
        "versions       jax 0.10.2, jaxlib 0.10.2",
        "platform       the one that JAX picks",
        "engine         examples",
        "trust          user code, sandbox off",
        "content        sha256:0",
        "timeout        600 s",
        "at a failure   the run stops",
        "compile cache  /cache/one",
        "environment    XLA_FLAGS=--xla_a=1",
        "1. one (asked for) pack/one.md",
        "  First  lines 3-4  2 units",
        "note: odd",
    ]


def test_what_was_chosen_is_shown(plan: Plan) -> None:
    none = CompileCache(directory=None, reason="--fresh")
    chosen = plan.model_copy(update={"emulate": 8, "cache": none, "keep_going": True})
    text = "\n".join(plans.lines(chosen))
    assert "\nat a failure   what does not need it still runs\n" in text
    assert "\nplatform       8 emulated CPU devices\n" in text
    assert "\ncompile cache  none: --fresh\n" in text
    bare = plan.python.model_copy(update={"versions": {}})
    text = "\n".join(plans.lines(plan.model_copy(update={"platform": "cuda", "python": bare})))
    assert "\nplatform       cuda\n" in text
    assert "\nversions       no JAX\n" in text


def test_what_is_to_be_recorded_is_shown(plan: Plan) -> None:
    asked = plan.model_copy(update={"recordings": Recordings(trace="/out/t", hlo="/out/h")})
    text = "\n".join(plans.lines(asked))
    assert "\ntrace          a profile goes to /out/t; the run is slower for it\n" in text
    assert "\nhlo            XLA writes its programs to /out/h\n" in text


def test_a_plan_cannot_move_the_cursor(plan: Plan) -> None:
    evil = "\x1b[2J\u202e\r"
    arguments = plan.arguments.model_copy(update={"given": (evil,)})
    changed = plan.model_copy(
        update={
            "arguments": arguments,
            "environment": {"JAX_X": evil},
            "notes": (Note(code="content", message=evil),),
        }
    )
    lines = "\n".join(plans.lines(changed)).splitlines()
    assert all(line.isprintable() for line in lines)
