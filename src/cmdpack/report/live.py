"""A run at a terminal: the lines of the text report, and below them what is going on now."""

from collections.abc import Iterable, Iterator

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

from cmdpack.events import Event, RunRestarted, RunStarted, SectionStarted, UnitFinished
from cmdpack.report.text import TextReport
from cmdpack.terminal import one_line, printable

_STYLES = {"ok:": "green", "failed:": "red", "note:": "yellow"}


def follow(events: Iterable[Event], report: TextReport) -> Iterator[Event]:
    """Show `events` as they come, and pass them on. `NO_COLOR` is respected."""
    console = Console(soft_wrap=True, highlight=False, markup=False)
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("starting", total=None)
        for event in events:
            match event:
                case RunStarted(plan=plan):
                    units = [e.units for command in plan.commands for e in command.examples]
                    progress.update(task, total=sum(map(len, units)))
                case RunRestarted():
                    progress.reset(task)
                case SectionStarted(command=command, title=title):
                    shown = one_line(f"{command}: {title}")[: max(20, console.width - 50)]
                    progress.update(task, description=shown)
                case UnitFinished():
                    progress.advance(task)
            for line in report.lines(event):
                console.print(Text(printable(line), style=_STYLES.get(line.partition(" ")[0], "")))
            yield event
