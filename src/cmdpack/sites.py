"""What the values of an example's names may be, abstractly: the sites that they come from.

A site stands for all objects made at one place of the code while one unit runs. Numbers and texts
cannot change and have none.
"""

from collections.abc import Iterable
from typing import Literal

from cmdpack.codefacts import BodyFacts, UnitFacts

Kind = Literal[
    "module",  # a module, or something in it, by its full name
    "function",
    "class",
    "cell",  # the variables of a call that has made functions
    "data",
    "array",  # of JAX: it cannot change, but a call that donates it deletes it
    "iterator",
    "numbers",  # a stream of random numbers
    "transformed",  # a callable made by JAX that may keep what it has traced
    "external",  # something of a library that is not known
]


class Site:
    """Objects of one origin: what they hold, and the units that may have changed them, as bits."""

    __slots__ = (
        "body",
        "changed",
        "classes",
        "contents",
        "defaults",
        "facts",
        "frame",
        "kind",
        "marked",
        "members",
        "path",
    )

    def __init__(self, kind: Kind, path: str = "") -> None:
        self.kind = kind
        self.path = path
        self.contents: set[Site] = set()
        self.classes: set[Site] = set()
        self.changed = 0
        self.members: dict[str, set[Site]] = {}
        self.marked: frozenset[str] = frozenset()
        self.defaults: set[Site] = set()
        self.frame: Frame | None = None
        self.body = BodyFacts()
        self.facts: UnitFacts | None = None


class Frame:
    """The variables of one body, of all calls of it in a unit.

    It is `quiet` while only a library that is not known may call it, of its own accord.
    """

    __slots__ = (
        "body",
        "cell",
        "facts",
        "owned",
        "parent",
        "quiet",
        "site",
        "traced",
        "used",
        "variables",
    )

    def __init__(
        self,
        facts: UnitFacts,
        body: BodyFacts,
        parent: "Frame | None" = None,
        site: Site | None = None,
    ) -> None:
        self.facts = facts
        self.body = body
        self.parent = parent
        self.site = site
        self.owned = frozenset(str(number) for number in body.scopes)
        self.variables: dict[str, set[Site]] = {}
        self.used: set[str] = set()
        self.traced = False
        self.quiet = False
        self.cell = Site("cell")
        self.cell.frame = self

    def owner(self, variable: str) -> "Frame":
        """The frame that a variable belongs to: this one, or one around it."""
        name, _, scope = variable.rpartition(":")
        frame = self
        while name not in {"", "return"} and scope not in frame.owned and frame.parent is not None:
            frame = frame.parent
        return frame

    def captured(self) -> Iterable[set[Site]]:
        """What functions made in this frame may reach."""
        return (sites for name, sites in self.variables.items() if not name.startswith(":"))


Sites = set[Site]


def closure(sites: Iterable[Site], *, classes: bool = False) -> Sites:
    """All sites that can be reached through these, themselves included."""
    found: Sites = set(sites)
    left = [*found]
    while left:
        site = left.pop()
        groups: list[Sites] = [site.contents]
        if classes and site.classes:
            groups.append(site.classes)
        if site.kind == "cell" and site.frame is not None:
            groups += site.frame.captured()
        for group in groups:
            if not group <= found:
                new = group - found
                found |= new
                left += new
    return found
