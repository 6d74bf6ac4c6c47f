"""The last network address that a sandboxed example tried, which its exceptions do not tell."""

import sys

_tried: list[str] = []


def watch() -> None:
    """Note from now on what is tried: Python tells, before anything is sent."""
    sys.addaudithook(_note)


def take() -> str | None:
    """What was tried last since the last call, as ``HOST:PORT``; None where there was nothing."""
    return _tried.pop() if _tried else None


def _note(event: str, arguments: tuple[object, ...]) -> None:
    if event in {"socket.connect", "socket.sendto"}:
        address = arguments[1]
    elif event == "socket.getaddrinfo":
        address = arguments[:2]
    else:
        return
    parts = address[:2] if isinstance(address, tuple) else (address,)
    words = [it.decode(errors="replace") if isinstance(it, bytes) else str(it) for it in parts]
    _tried[:] = [":".join(words)[:200]]
