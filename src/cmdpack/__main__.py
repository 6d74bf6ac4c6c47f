"""The command line: ``cmdpack`` and ``python -m cmdpack``."""

import gc
import sys

# Python puts the current folder first when it is started with `-m`: what lies there must not be
# taken for what we import. Those who start us from a program of theirs have a path of their own.
if __name__ == "__main__" and not sys.flags.safe_path:
    del sys.path[0]

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
