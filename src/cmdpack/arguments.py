"""The arguments of one run, held against what the command declares."""

import difflib
import re
import shlex
from collections.abc import Collection, Iterator, Sequence

from cmdpack.errors import UsageError
from cmdpack.plan import Arguments
from cmdpack.select import legal_choices
from cmdpack.spec import CommandSpec, Option

_NUMBER = re.compile(r"-[\d.]")


def read_arguments(
    spec: CommandSpec,
    tokens: Sequence[str],
    *,
    runner_flags: Collection[str] = (),
    word: str | None = None,
) -> Arguments:
    """Validate the words that follow a command's name.

    Options are written ``--name=value``, ``--name value`` or, for flags, ``--name``; words after
    ``--`` are positional. `runner_flags` are the flags that stand before the name (``--plan``):
    one of them here is said to stand in the wrong place. `word` is how the user named the command,
    for messages. Raises UsageError.
    """
    reader = _Reader(spec, runner_flags, word or spec.name)
    values: dict[str, str | bool | None] = {}
    for name, value in reader.pairs(tokens):
        if name in values:
            raise reader.error(f"--{name} is given twice")
        values[name] = value
    reader.check_target()
    for option in spec.options:
        values.setdefault(option.name, False if option.kind == "flag" else reader.default(option))
    return Arguments(given=tuple(tokens), values=values, positionals=tuple(reader.positionals))


def synopsis(spec: CommandSpec, called: str | None = None) -> str:
    """Return the form of an invocation on the command line, with every option.

    `called` are the words that stand after ``cmdpack run``: the command's name unless given.
    """
    legal = legal_choices(spec)
    words = [f"cmdpack run {called or spec.name}"]
    for option in spec.options:
        if option.kind == "choice":
            words.append(f"[--{option.name}={'|'.join(legal[option.name])}]")
        elif option.kind == "value":
            words.append(f"[--{option.name}={option.metavar or 'VALUE'}]")
        else:
            words.append(f"[--{option.name}]")
    if spec.target:
        words.append(spec.target.upper())
    return " ".join(words)


class _Reader:
    """Walks the words of one command line; what is left over is in `positionals`."""

    def __init__(self, spec: CommandSpec, runner_flags: Collection[str], word: str) -> None:
        self.spec = spec
        self.word = shlex.quote(word)
        self.legal = legal_choices(spec)
        self.options = {option.name: option for option in spec.options}
        self.runner_flags = runner_flags
        self.positionals: list[str] = []

    def pairs(self, tokens: Sequence[str]) -> Iterator[tuple[str, str | bool]]:
        words = list(reversed(tokens))
        while words:
            word = words.pop()
            if word == "--":
                for positional in reversed(words):
                    self.take_positional(positional)
                return
            if not word.startswith("-") or word == "-":
                self.take_positional(word)
                continue
            flag, equals, value = word.partition("=")
            option = self.options.get(flag.removeprefix("--")) if flag.startswith("--") else None
            if option is None:
                raise self.unknown(flag)
            if option.kind == "flag":
                if equals:
                    raise self.error(f"{flag} is a flag and takes no value, not {value!r}")
                yield option.name, True
            else:
                if not equals:
                    value = words.pop() if words and _is_value(words[-1]) else ""
                yield option.name, self.checked(option, value)

    def checked(self, option: Option, value: str) -> str:
        if not value:
            raise self.error(f"--{option.name} needs a value")
        if option.kind == "value":
            return value
        legal = self.legal[option.name]
        if value not in legal:
            near = difflib.get_close_matches(value, legal, n=1)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise self.error(
                f"--{option.name}={value} is not a choice of {self.spec.name}: "
                f"it is one of {', '.join(legal)}{hint}"
            )
        return value

    def default(self, option: Option) -> str | None:
        """Return the default of `option`, if it may be given."""
        legal = self.legal.get(option.name)
        return option.default if legal is None or option.default in legal else None

    def take_positional(self, word: str) -> None:
        if self.spec.target is None:
            owners = [option for option in self.spec.options if word in option.choices]
            raise self.error(
                f"{self.spec.name} takes no argument {word!r}"
                + (f"; did you mean --{owners[0].name}={word}?" if owners else "")
            )
        if self.positionals:
            raise self.error(
                f"{self.spec.name} takes one {self.spec.target}, "
                f"not both {self.positionals[0]!r} and {word!r}"
            )
        self.positionals.append(word)

    def check_target(self) -> None:
        if self.spec.target is not None and not self.positionals:
            raise self.error(f"{self.spec.name} needs a {self.spec.target} of yours")

    def unknown(self, flag: str) -> UsageError:
        if flag in self.runner_flags:
            return UsageError(
                f"{flag} is a flag of cmdpack and stands before the name",
                help=f"cmdpack run {flag} {self.word}",
            )
        near = difflib.get_close_matches(flag, [f"--{name}" for name in self.options], n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        return self.error(f"{self.spec.name} has no option {flag}{hint}")

    def error(self, message: str) -> UsageError:
        return UsageError(message, help=f"usage: {synopsis(self.spec, self.word)}")


def _is_value(word: str) -> bool:
    return not word.startswith("-") or _NUMBER.match(word) is not None
