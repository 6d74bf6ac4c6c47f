"""The protocol that every engine follows."""

from collections.abc import Iterator
from typing import Protocol

from cmdpack.plan import Plan
from cmdpack.result import Event
from cmdpack.supervision import Control


class Engine(Protocol):
    """Carries a plan out."""

    def run(self, plan: Plan, control: Control) -> Iterator[Event]:
        """Run `plan`, yielding events as they happen; the last is always `RunFinished`.

        When `control` is cancelled, end what runs and finish with the outcome ``cancelled``.
        """
        ...
