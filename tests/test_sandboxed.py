"""What a sandbox stopped, said in words."""

import pytest

from cmdpack.result import Advice, Failure
from cmdpack.sandboxed import explained, in_words

OTHER = Advice(cause="of a rule", next_step="of a rule")


@pytest.mark.parametrize(
    ("type", "message", "cause"),
    [
        ("OSError", "[Errno 101] Network is unreachable", "no network: line 3 tried"),
        ("gaierror", "[Errno -3] Temporary failure in name resolution", "no network"),
        (
            "ConnectionError",
            "HTTPSConnectionPool(host='a.org', port=443): Max retries exceeded",
            "no network: line 3 tried a.org",
        ),
        (
            "FileNotFoundError",
            "[Errno 2] No such file or directory: '/home/u/x.csv'",
            "none of your files: line 3 asked for '/home/u/x.csv'",
        ),
        ("OSError", "[Errno 30] Read-only file system: '/etc/x'", "line 3 tried to write '/etc/x'"),
        ("OSError", "[Errno 28] No space left on device", "scratch folder of the sandbox is full"),
        ("PermissionError", "[Errno 13] Permission denied: '/x'", "line 3 tried '/x'"),
        ("RuntimeError", "can't start new thread", "processes and threads"),
    ],
)
def test_a_failure_that_the_sandbox_is_the_reason_of(type: str, message: str, cause: str) -> None:
    failure = Failure(type=type, message=message, line=3)
    found = explained("full", failure, OTHER)
    assert found is not None
    assert "the sandbox " in found.cause
    assert cause in found.cause
    assert explained("off", failure, OTHER) is OTHER


@pytest.mark.parametrize(
    ("type", "message"),
    [
        ("ValueError", "shapes differ"),
        ("AssertionError", "[Errno 2] No such file or directory: 'x'"),
    ],
)
def test_other_failures_keep_their_advice(type: str, message: str) -> None:
    assert explained("full", Failure(type=type, message=message), OTHER) is OTHER
    assert explained("full", Failure(type=type, message=message), None) is None


def test_the_address_is_told_where_it_is_known() -> None:
    failure = Failure(type="OSError", message="[Errno 101] Network is unreachable", line=12)
    found = explained("full", failure, None, "192.0.2.7:443")
    assert found is not None
    assert found.cause == "the sandbox has no network: line 12 tried 192.0.2.7:443"


def test_levels_in_words() -> None:
    assert [in_words(it) for it in ("full", "off")] == ["full", "off"]  # type: ignore[arg-type]
    assert "TCP only" in in_words("partial")
