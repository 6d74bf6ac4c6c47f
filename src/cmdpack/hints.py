"""What a text hints at: options in three places, slash-command lines, and words of info strings."""

import difflib
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from cmdpack.diagnostics import Diagnostic
from cmdpack.frontmatter import Fields, Items, Scalar, Value
from cmdpack.markdown import Item
from cmdpack.nouns import Span
from cmdpack.spec import Condition, Declaration, DeclaredIn, Invocation, Option, OptionKind

DEBUG_VARIABLES = (
    *("JAX_DEBUG_NANS", "JAX_DEBUG_INFS", "JAX_DEBUG_KEY_REUSE", "JAX_CHECK_TRACER_LEAKS"),
    *("JAX_DISABLE_JIT", "JAX_ENABLE_CHECKS", "JAX_ENABLE_X64", "JAX_TRANSFER_GUARD"),
    *("JAX_NUMPY_RANK_PROMOTION", "JAX_NUMPY_DTYPE_PROMOTION", "JAX_DEFAULT_MATMUL_PRECISION"),
    *("JAX_LOG_COMPILES", "JAX_EXPLAIN_CACHE_MISSES", "JAX_TRACEBACK_FILTERING"),
)
"""What an option of a command file may set: what JAX does with the same code, and nothing else."""

_NAME = r"[A-Za-z][\w-]*"
_OPTION_NAME = re.compile(_NAME)
_OPTION = re.compile(
    rf"""
    (?<![\w-]) --(?P<name>{_NAME})
    (?: (?: \[?= | [ \t]+(?=[<\w][^\s\]]*(?:[|>\]]|$)) )  # after a blank: what looks like a value
        (?P<value> <[^<>]*> | \[[^\[\]]*\] | "[^"]*" | [^\s\[\]<>"]+ )
    )?
    """,
    re.VERBOSE,
)
_CHOICE = re.compile(r"\w[\w.+-]*")
_LAST_PARENTHESES = re.compile(r"\(([^()]+)\)[^()\w]*$")
_COMMAND = re.compile(r"[ \t]*(?:[$>][ \t]+)?/(?P<name>[A-Za-z][\w.:-]*)(?=\s|$)")
_TOKEN = re.compile(r"""(?:"[^"]*"|'[^']*'|[^\s"']|["'])+""")
_LONGEST_LINE = 10_000  # characters of a line that may be a slash command
_INFO_WORD = re.compile(r"""\{[^{}]*\}|(?:"[^"]*"|'[^']*'|\{[^{}]*\}|[^\s"'{]|["'{])+""")
_LANGUAGE = re.compile(r"[\w+#-]+")
_PYTHON = frozenset({"python", "py", "python3"})
_DIRECTIVES = {
    "setup": None,
    "parameters": None,
    "no-run": None,
    "expect-error": re.compile(r"[A-Za-z_][\w.]*"),
    "devices": re.compile(r"[1-9]\d{0,5}"),
    "requires": re.compile(r"\S+"),
    "timeout": re.compile(r"\d{1,9}(\.\d+)?"),
    "name": re.compile(r"\S+"),
}
_FOREIGN_WORDS = frozenset(
    {"copy", "linenos", "linenums", "numberlines", "showlinenumbers", "wrap"}
)
_FOREIGN_KEYS = frozenset(
    {"caption", "class", "file", "filename", "highlight", "hl_lines", "id", "label", "lines"}
    | {"linenos", "linenums", "name", "showlinenumbers", "startline", "theme", "title"}
)


@dataclass(frozen=True, slots=True)
class OptionHint:
    """One declaration of an option, before the others were weighed against it."""

    name: str
    where: DeclaredIn
    span: Span
    kind: OptionKind
    choices: tuple[str, ...] = ()
    default: str | None = None
    metavar: str | None = None
    help: str = ""
    env: dict[str, str] = field(default_factory=dict)


def read_argument_hint(text: str) -> Iterator[tuple[OptionHint, int, int]]:
    """Yield the options of an `argument-hint`, each with its place in `text`.

    Positional arguments are passed over. The spans of the hints are for the caller to fill in.
    """
    nowhere = Span(line=1, column=1, end_line=1, end_column=1)
    for match in _OPTION.finditer(text):
        kind, choices, metavar = _read_value(match["value"])
        hint = OptionHint(
            match["name"], "argument-hint", nowhere, kind, choices=choices, metavar=metavar
        )
        yield hint, match.start(), match.end()


def read_option_item(item: Item) -> OptionHint | None:
    """Read a bullet of an Options list: ``--operation=<op>``, a colon, and help ``(a, b, c)``."""
    if item.name is not None:
        declaration, span, rest = item.name.text, item.name.span, item.text[len(item.name.text) :]
    else:
        declaration, span, rest = item.text, item.span, ""
        parts = re.split(r":\s|\s[-\u2013\u2014]\s", item.text, maxsplit=1)
        if len(parts) == 2:
            declaration, rest = parts
    match = _OPTION.search(declaration)
    if match is None or not declaration.startswith("-"):
        return None
    kind, choices, metavar = _read_value(match["value"])
    text = rest.lstrip(" \t:-\u2013\u2014").strip()
    listed = _LAST_PARENTHESES.search(text)
    if kind == "value" and listed:
        words = tuple(word.strip(" \t`'\"") for word in re.split(r"[,|]", listed[1]))
        if len(words) > 1 and all(_CHOICE.fullmatch(word) for word in words):
            kind, choices, metavar = "choice", words, None
    return OptionHint(match["name"], "list", span, kind, choices, metavar=metavar, help=text)


def _read_value(value: str | None) -> tuple[OptionKind, tuple[str, ...], str | None]:
    """Tell kind, choices and placeholder from what follows an option's name in a usage text."""
    if value is None:
        return "flag", (), None
    inner = value.strip("<>[]\"'=")
    words = tuple(word for word in inner.split("|") if word not in {"", "...", "\u2026"})
    if len(words) > 1 and all(_CHOICE.fullmatch(word) for word in words):
        return "choice", tuple(dict.fromkeys(words)), None
    return "value", (), inner or None


def read_options_key(fields: Fields, path: str) -> tuple[list[OptionHint], list[Diagnostic]]:
    """Read the frontmatter's `options`: a mapping of names to what is said of them."""
    hints: list[OptionHint] = []
    findings: list[Diagnostic] = []
    for entry in fields.entries:
        name = entry.key.text.removeprefix("--")
        if not _OPTION_NAME.fullmatch(name):
            findings.append(_unreadable(entry.key.span, path, f"`{name}` is no name for an option"))
        elif isinstance(entry.value, Fields):
            hints.append(_read_details(name, entry.key.span, entry.value, path, findings))
        elif isinstance(entry.value, Scalar) and entry.value.is_null:
            hints.append(OptionHint(name, "options", entry.key.span, "flag"))
        else:
            message = f"what is said of `{name}` is not a mapping and was ignored"
            findings.append(_unreadable(entry.value.span, path, message))
            hints.append(OptionHint(name, "options", entry.key.span, "flag"))
    return hints, findings


def _read_details(
    name: str, span: Span, fields: Fields, path: str, findings: list[Diagnostic]
) -> OptionHint:
    texts: dict[str, str] = {}
    choices: tuple[str, ...] = ()
    env: dict[str, str] = {}
    for entry in fields.entries:
        key, value = entry.key.text, entry.value
        if key == "choices" and (words := _words(value)):
            choices = words
        elif key == "env" and isinstance(value, Fields):
            env = _read_variables(name, value, path, findings)
        elif key in {"default", "help", "metavar"} and isinstance(value, Scalar):
            texts[key] = value.text.strip()
        else:
            message = f"`{key}` of option `{name}` is not understood and was ignored"
            findings.append(_unreadable(entry.key.span, path, message))
    default = texts.get("default")
    # Whether `all` is one of them depends on the examples: `declarations` knows.
    if default is not None and choices and default not in {*choices, "all"}:
        message = f"the default `{default}` of `{name}` is none of its choices and was ignored"
        findings.append(_unreadable(span, path, message))
        default = None
    kind: OptionKind = "choice" if choices else "value" if texts.keys() - {"help"} else "flag"
    text = texts.get("help", "")
    metavar = texts.get("metavar")
    return OptionHint(name, "options", span, kind, choices, default, metavar, text, env)


def _read_variables(
    option: str, fields: Fields, path: str, findings: list[Diagnostic]
) -> dict[str, str]:
    env: dict[str, str] = {}
    for item in fields.entries:
        variable = item.key.text
        if variable in DEBUG_VARIABLES and isinstance(item.value, Scalar):
            env[variable] = item.value.text.strip()
        elif variable in DEBUG_VARIABLES:
            message = f"the value of `{variable}` of option `{option}` is no word and was ignored"
            findings.append(_unreadable(item.value.span, path, message))
        else:
            message = f"an option may not set `{variable}`, as `{option}` would; it was ignored"
            near = difflib.get_close_matches(variable, DEBUG_VARIABLES, n=1)
            hint = f"did you mean {near[0]}? " if near else ""
            allowed = f"{hint}JAX's debug variables are allowed: {', '.join(DEBUG_VARIABLES)}"
            finding = _unreadable(item.key.span, path, message)
            findings.append(finding.model_copy(update={"help": allowed}))
    return env


def _words(value: Value) -> tuple[str, ...]:
    if isinstance(value, Scalar):
        words = [word.strip() for word in re.split(r"[,|]", value.text)]
    elif isinstance(value, Items):
        words = [item.text for item in value.items if isinstance(item, Scalar)]
    else:
        return ()
    return tuple(dict.fromkeys(word for word in words if word))


def _unreadable(span: Span, path: str, message: str) -> Diagnostic:
    return Diagnostic(
        code="OP002",
        severity="warning",
        message=message,
        path=path,
        span=span,
        help="write `name: {choices: [a, b], default: a, help: ...}`",
    )


def merge_options(
    hints: Iterable[OptionHint], path: str
) -> tuple[tuple[Option, ...], list[Diagnostic]]:
    """Merge declarations that come in the order of their precedence.

    The frontmatter's `options` decide alone on kind, choices and default. Between an
    `argument-hint` and a list, the first that says more than "a flag" decides.
    """
    by_name: dict[str, list[OptionHint]] = {}
    for hint in hints:
        by_name.setdefault(hint.name, []).append(hint)
    options: list[Option] = []
    findings: list[Diagnostic] = []
    for name, group in by_name.items():
        leading = _leading(group)
        options.append(
            Option(
                name=name,
                kind=leading.kind,
                choices=leading.choices,
                default=leading.default,
                metavar=leading.metavar,
                help=next((hint.help for hint in group if hint.help), ""),
                env=leading.env,
                declared=tuple(Declaration(where=hint.where, span=hint.span) for hint in group),
            )
        )
        findings += _disagreements(leading, group, path)
    return tuple(options), findings


def _leading(group: Sequence[OptionHint]) -> OptionHint:
    if group[0].where == "options":
        return group[0]
    for kind in ("choice", "value"):
        for hint in group:
            if hint.kind == kind:
                return hint
    return group[0]


def _disagreements(
    leading: OptionHint, group: Sequence[OptionHint], path: str
) -> Iterator[Diagnostic]:
    """Yield a finding for each declaration that names other choices; `all` is legal everywhere."""
    for hint in group:
        differing = set(leading.choices) ^ set(hint.choices)
        if not leading.choices or not hint.choices or not differing - {"all"}:
            continue
        yield Diagnostic(
            code="OP001",
            severity="warning",
            message=(
                f"`--{hint.name}` has the choices {', '.join(hint.choices)} here, but"
                f" {', '.join(leading.choices)} on line {leading.span.line}, which counts"
            ),
            path=path,
            span=hint.span,
            help="make the two lists the same",
        )


def read_invocation(text: str, line: int, column: int) -> tuple[Invocation, str] | None:
    """Read ``/name args # comment``; the comment comes second. None where `text` is not that.

    `text` is one line whose first character stands at `line` and `column`. Quotes group, and an
    unbalanced one stands for itself. Nothing is expanded.
    """
    match = _COMMAND.match(text)
    if match is None or len(text) > _LONGEST_LINE:
        return None
    start = match.start("name") - 1
    options: dict[str, str | None] = {}
    positionals: list[str] = []
    comment, end = "", match.end()
    for token in _TOKEN.finditer(text, match.end()):
        word = token[0]
        if word.startswith("#"):
            comment = text[token.start() :].lstrip("# \t").strip()
            break
        end = token.end()
        name, equals, value = word.lstrip("-").partition("=")
        if word.startswith("-") and _OPTION_NAME.fullmatch(name):
            options[name] = _unquoted(value) if equals else None
        else:
            positionals.append(_unquoted(word))
    span = Span(line=line, column=column + start, end_line=line, end_column=column + end)
    invocation = Invocation(
        command=match["name"],
        options=options,
        positionals=tuple(positionals),
        text=text[start:end],
        span=span,
    )
    return invocation, comment


def _unquoted(word: str) -> str:
    return re.sub(r"\"([^\"]*)\"|'([^']*)'", lambda match: match[1] or match[2] or "", word)


@dataclass(frozen=True, slots=True)
class Info:
    """A fence's info string, understood; `problems` are words and what is wrong with them."""

    language: str
    conditions: tuple[Condition, ...] = ()
    directives: dict[str, str | None] = field(default_factory=dict)
    problems: tuple[tuple[str, str], ...] = ()


def read_info(info: str, options: Sequence[Option]) -> Info:
    """Read an info string for a command with `options`."""
    words = [match[0] for match in _INFO_WORD.finditer(info)]
    language = ""
    if words and not words[0].startswith(":"):
        found = _LANGUAGE.search(words.pop(0))
        language = found[0].lower() if found else ""
    declared = {option.name: option for option in options}
    conditions: list[Condition] = []
    directives: dict[str, str | None] = {}
    problems: list[tuple[str, str]] = []
    for word in words:
        name, equals, value = word.partition("=")
        if word.startswith(":"):
            problem = _directive_problem(name[1:], value if equals else None)
            if problem is None:
                directives[name[1:]] = value if equals else None
        elif name in declared:
            choices = tuple(choice for choice in _unquoted(value).split("|") if choice)
            conditions.append(Condition(option=name, choices=choices))
            problem = _choice_problem(declared[name], choices)
        else:
            problem = None if _is_foreign(word) else "names no option of this command"
        if problem is not None:
            problems.append((word, problem))
    kept = tuple(problems) if language in _PYTHON else ()
    return Info(language, tuple(conditions), directives, kept)


def _directive_problem(name: str, value: str | None) -> str | None:
    if name not in _DIRECTIVES:
        return f"is no directive; those are {', '.join(f':{known}' for known in _DIRECTIVES)}"
    pattern = _DIRECTIVES[name]
    if pattern is None:
        return None if value is None else "takes no value"
    return None if pattern.fullmatch(value or "") else "has a value that cannot be used"


def _choice_problem(option: Option, choices: Sequence[str]) -> str | None:
    if option.kind == "flag" and choices:
        return f"gives a value to `{option.name}`, which takes none"
    unknown = set(choices) - {*option.choices, "all"}
    if option.kind != "choice" or not unknown:
        return None
    return f"names no choice of `{option.name}`: {', '.join(option.choices)}"


def _is_foreign(word: str) -> bool:
    """Whether `word` is for renderers: ``{1,6}``, ``title="x"``, ``server.py``, ``linenums``."""
    key = word.partition("=")[0].lower()
    return (
        any(character in word for character in "{}\"'./#@")
        or word.lower() in _FOREIGN_WORDS
        or key in _FOREIGN_KEYS
    )
