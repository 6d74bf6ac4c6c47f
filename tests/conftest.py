"""Fixtures that tests of several floors share."""

from pathlib import Path

import pytest


@pytest.fixture
def stand_in() -> Path:
    """A command file of the shape, and with the defects, of those that circulate in public."""
    return Path(__file__).parent / "data" / "stand-in.md"
