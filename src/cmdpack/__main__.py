"""The command line: ``cmdpack`` and ``python -m cmdpack``."""

import gc
import sys

from cmdpack import __version__


def main() -> int:
    """Run the command line on this process's arguments and return its exit code."""
    if sys.argv[1:2] == ["--version"]:  # before anything heavy is imported
        sys.stdout.write(f"cmdpack {__version__}\n")
        return 0
    gc.disable()  # start-up makes many objects and no garbage: a fifth less; `run` turns it on
    from cmdpack.cli.app import run_app  # noqa: PLC0415 - see above

    return run_app(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())
