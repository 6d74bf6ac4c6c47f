"""The one door into a child process: ``python -P .../child/__main__.py ROLE [ARGUMENT...]``.

The siblings are loaded as the private package `_cmdpack`, without a change to `sys.path`.
"""

import importlib
import os
import sys
import types


def main() -> None:
    """Load the module that is named like the role, and hand over to its `main(arguments)`."""
    package = types.ModuleType("_cmdpack")
    package.__path__ = [os.path.dirname(os.path.realpath(__file__))]  # pathlib costs 10 ms
    sys.modules[package.__name__] = package
    role, *arguments = sys.argv[1:]
    importlib.import_module(f"{package.__name__}.{role}").main(arguments)


if __name__ == "__main__":
    main()
