"""Writes the marketplace file at the top of the repository, which points at `exports/claude`.

python tools/marketplace.py
"""

from pathlib import Path

from cmdpack.export.claude import marketplace
from cmdpack.export.target import find_pack
from cmdpack.plugins import build_manager
from cmdpack.registry import load_registry

ROOT = Path(__file__).resolve().parents[1]
FILE = ROOT / ".claude-plugin" / "marketplace.json"


def text() -> str:
    """Return what the file is to hold."""
    pack = find_pack(load_registry(build_manager(entry_points=False)))
    return marketplace(pack, "./exports/claude")


if __name__ == "__main__":
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(text(), encoding="utf-8")
