"""What a consent is bound to."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cmdpack import contents
from cmdpack.contents import Part, Text
from cmdpack.packs import origin_of_file, read_pack
from cmdpack.parse import read_command
from cmdpack.plan import Command

PARTS = st.lists(st.tuples(st.text(), st.text()), max_size=3)


def command(path: Path, text: str | bytes = "# One\n") -> Command:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return Command(spec=read_command(path), pack=origin_of_file(path))


def digest_of(*commands: Command) -> str:
    return contents.content_digest(contents.of_run(commands))


def texts(parts: list[tuple[str, str]]) -> list[Text]:
    return [Text(Part(name=name, digest=digest), "") for name, digest in parts]


@given(PARTS, PARTS)
def test_two_contents_never_share_a_digest(
    one: list[tuple[str, str]], other: list[tuple[str, str]]
) -> None:
    same = contents.content_digest(texts(one)) == contents.content_digest(texts(other))
    assert same == (one == other)


def test_every_byte_the_name_and_the_order_count(tmp_path: Path) -> None:
    one, two = command(tmp_path / "one.md"), command(tmp_path / "two.md")
    known = {digest_of(one), digest_of(two), digest_of(one, two), digest_of(two, one)}
    for text in ("# One\n\n", "# One\r\n", "# One \n", b"\xef\xbb\xbf# One\n", "", "# 0ne\n"):
        known.add(digest_of(command(tmp_path / "one.md", text)))
    assert len(known) == 10


def test_the_place_does_not_count(tmp_path: Path) -> None:
    here, there = command(tmp_path / "a" / "one.md"), command(tmp_path / "b" / "one.md")
    assert digest_of(here) == digest_of(there)


def test_an_export_counts_the_manifest_and_the_name_of_the_pack(tmp_path: Path) -> None:
    def exported(folder: str, manifest: str | None = None) -> str:
        one = command(tmp_path / folder / "one.md")
        if manifest is not None:
            (tmp_path / folder / "manifest.toml").write_text(manifest)
        pack, _ = read_pack(tmp_path / folder, trust="user", source="")
        return contents.content_digest(contents.of_export(pack, [one]))

    plain = exported("pack")
    assert exported("pack") == plain
    said = {plain, exported("other"), exported("pack", '[pack]\ndescription = "x"\n')}
    assert len(said) == 3


@pytest.mark.parametrize(
    ("word", "is_one"),
    [
        ("sha256:" + "0a" * 32, True),
        ("sha256:" + "0A" * 32, False),
        ("0a" * 32, False),
        ("sha256:" + "0a" * 31, False),
        ("sha256:" + "0g" * 32, False),
        ("", False),
    ],
)
def test_what_is_written_like_a_digest(word: str, is_one: bool) -> None:
    assert contents.is_digest(word) == is_one
    assert contents.is_digest(contents.content_digest([]))
