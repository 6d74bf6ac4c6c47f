"""What all values on the road share: frozen, closed, printable as JSON, and a place in a file."""

from pydantic import BaseModel, ConfigDict


class Noun(BaseModel):
    """A frozen value. Its validator is built on first use: unused nouns cost nothing at start."""

    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class Span(Noun):
    """A stretch of a file. Lines and columns count from 1, in characters; the end is exclusive."""

    line: int
    column: int
    end_line: int
    end_column: int
