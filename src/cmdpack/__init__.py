"""cmdpack: command packs for AI coding assistants, read, run and proven.

The road through the package, one direction and one frozen type at each stop::

    Markdown text -> Document -> CommandSpec + Diagnostics -> Registry
                  -> Plan -> Event* -> RunResult -> report / export

Nothing is imported here: `cmdpack --version` and the child processes stay cheap.
"""

__version__ = "0.1.0"
