import json
import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from cmdpack.terminal import one_line, printable, table


def test_escape_sequences_are_written_out() -> None:
    assert printable("a\x1b[31mred\x9b0m\x07") == "a\\u001b[31mred\\u009b0m\\u0007"


def test_a_carriage_return_cannot_overwrite_the_line() -> None:
    assert printable("evil\rgood") == "evil\\u000dgood"


def test_text_cannot_be_turned_around() -> None:
    assert printable("\u202egnp.exe\u2066") == "\\u202egnp.exe\\u2066"


def test_tabs_newlines_accents_and_emoji_stay() -> None:
    text = "a\tb\nçé 👩 ❤️ 日本"
    assert printable(text) == text


FORMATS = st.characters(categories=["Cf"])
PLANE_14 = st.characters(min_codepoint=0xE0000, max_codepoint=0xE01FF)


@given(st.text(st.characters(codec=None) | FORMATS | PLANE_14))
def test_nothing_printable_controls_a_terminal(text: str) -> None:
    unseen = {"Cc", "Cf", "Cs", "Zl", "Zp"}
    left = {char for char in printable(text) if unicodedata.category(char) in unseen}
    assert left <= {"\t", "\n"}
    assert not any("\U000e0000" <= char < "\U000f0000" for char in printable(text))
    assert printable(printable(text)) == printable(text)


def test_hidden_text_is_written_out() -> None:
    assert (
        printable("a\U000e0041\u200b\ufeff\u00ad\u200d")
        == "a\\udb40\\udc41\\u200b\\ufeff\\u00ad\\u200d"
    )
    assert printable("x\U000e0100") == "x\\udb40\\udd00"


@given(st.text(st.characters(exclude_categories=["Cs"]) | FORMATS | PLANE_14))
def test_json_stays_the_same_json(text: str) -> None:
    assert json.loads(printable(json.dumps([text], ensure_ascii=False))) == [text]


def test_one_line_folds_white_space() -> None:
    assert one_line(" a\n\n b\x00 ") == "a b\\u0000"


def test_table_aligns_columns_and_leaves_no_trailing_blanks() -> None:
    assert table([("a", "b"), ("long", "")]) == "a     b\nlong"


def test_table_cuts_only_the_flexible_column() -> None:
    text = table([("name", "a very long description", "pack")], width=30, flexible=1)
    assert text == "name  a very long descr…  pack"


def test_table_keeps_names_whole_on_a_narrow_terminal() -> None:
    text = table([("a-long-command-name", "a very long description")], width=10, flexible=1)
    assert text == "a-long-command-name  a very long…"


def test_a_table_of_nothing_is_empty() -> None:
    assert table([]) == ""
