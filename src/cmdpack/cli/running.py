"""The options of the verbs that start a Python of the user's."""

from enum import StrEnum
from typing import Annotated

import typer


class Platform(StrEnum):
    """What ``--platform`` can name."""

    CPU = "cpu"
    GPU = "gpu"
    CUDA = "cuda"
    ROCM = "rocm"
    TPU = "tpu"


PlatformOption = Annotated[
    Platform | None,
    typer.Option("--platform", help="The JAX platform to use. Where it is absent: an error."),
]
EmulateOption = Annotated[
    int | None,
    typer.Option("--emulate", metavar="N", min=1, max=1024, help="Emulate N CPU devices."),
]
PythonOption = Annotated[
    str | None,
    typer.Option("--python", metavar="PYTHON", help="The Python that runs the examples."),
]
