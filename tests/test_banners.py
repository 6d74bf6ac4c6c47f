"""What finding banners promises."""

import io
import tokenize

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cmdpack.banners import find_banners, plain_title

RULE = "# " + "=" * 20


def banners(code: str) -> list[tuple[int, str]]:
    return [(banner.line, banner.title) for banner in find_banners(code)]


class TestBanners:
    @pytest.mark.parametrize("rule", ["=" * 8, "-" * 8, "#" * 9, "*" * 8, "~" * 30, "\u2500" * 8])
    def test_rule_title_rule(self, rule: str) -> None:
        assert banners(f"x = 1\n# {rule}\n# 1. A title (x)\n# {rule}\ny = 2\n") == [
            (1, "A title (x)")
        ]

    @pytest.mark.parametrize(
        "line",
        [
            *("# === A title ===", "# --- A title -----------------", "#### A title ####"),
            *(
                "# \u2500\u2500\u2500 A title \u2500\u2500\u2500",
                "#=== A title ===#",
                "# *** 2) A title ***",
            ),
        ],
    )
    def test_one_line(self, line: str) -> None:
        assert banners(f"{line}\nx = 1") == [(0, "A title")]

    def test_several(self) -> None:
        code = f"{RULE}\n# A\n{RULE}\n# note\n# --- B ---\n{RULE}\n# C\n{RULE}"
        assert banners(code) == [(0, "A"), (4, "B"), (5, "C")]

    @pytest.mark.parametrize(
        "code",
        [
            "",
            RULE,
            f"{RULE}\n{RULE}\n{RULE}",
            f"{RULE}\n# A\nx = 1",
            f"{RULE}\n# A\n\n{RULE}",
            f"{RULE}\n#\n{RULE}",
            "# =======\n# A\n# =======",
            f"  {RULE}\n  # A\n  {RULE}",
            "# - A -",
            "# A ===",
            f'"""\n{RULE}\n# A\n{RULE}\n"""',
            f"x = r'''\n\\'''\n{RULE}\n# A\n{RULE}\n'''",
            "x = 'a\\\n# === A ===\\\n'",
        ],
    )
    def test_none(self, code: str) -> None:
        assert banners(code) == []

    def test_quotes_in_comments_and_strings_open_nothing(self) -> None:
        code = f"# it's\nx = '\"\"\"'  # \"\"\"\n'''a'''\n{RULE}\n# A\n{RULE}\ny = '''\n'''"
        assert banners(code) == [(3, "A")]

    def test_code_that_does_not_tokenize_is_read_by_lines(self) -> None:
        assert banners(f'x = """never closed\n{RULE}\n# A\n{RULE}\n') == [(1, "A")]

    @pytest.mark.parametrize(
        "code",
        [
            "#" * 100_000 + "x",
            "# ===" + " =" * 50_000 + "x",
            '"""\\' * 30_000,
            "# === a" + "=" * 99_999 + "b",
        ],
        ids=["hashes", "blanks", "quotes", "rule"],
    )
    def test_hostile_code_is_read_in_time(self, code: str) -> None:
        assert banners(f"{code}\n# === A ===\n")[-1:] in ([(1, "A")], [])


@pytest.mark.parametrize(
    ("text", "title"),
    [
        *(
            ("1. JIT", "JIT"),
            ("12) x", "x"),
            ("3.1 x", "x"),
            ("3.1. x", "x"),
            ("23-Agent x", "23-Agent x"),
        ),
        *(("2 layers", "2 layers"), ("1.", "1."), ("  a ", "a")),
    ],
)
def test_title_loses_its_number(text: str, title: str) -> None:
    assert plain_title(text) == title


_CODE = st.lists(
    st.sampled_from(
        [
            '"""',
            "'''",
            '"',
            "'",
            "\\",
            "\n",
            "\n",
            "# === A ===\n",
            "x = ",
            "1",
            " ",
            "r",
            "b",
            " # ",
        ]
    ),
    max_size=20,
).map("".join)


@settings(deadline=None, max_examples=400)
@given(_CODE)
def test_comments_are_those_of_tokenize(code: str) -> None:
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(code).readline))
    except (tokenize.TokenError, SyntaxError):
        return
    if any(token.type == tokenize.ERRORTOKEN for token in tokens):
        return
    comments = [
        token.start[0] - 1
        for token in tokens
        if token.type == tokenize.COMMENT and token.start[1] == 0 and token.string == "# === A ==="
    ]
    assert [banner.line for banner in find_banners(code)] == comments
