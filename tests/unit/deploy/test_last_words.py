from pathlib import Path

import pytest

from deploy.local.last_words import last_words


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "gateway.log"


def test_the_last_line_of_a_plain_log(log: Path) -> None:
    log.write_text("PREGAO_A: ok\nPREGAO_NATS_PASSWORD: Field required\n\n")
    assert last_words(log) == "PREGAO_NATS_PASSWORD: Field required"


def test_the_last_error_of_a_structured_log(log: Path) -> None:
    log.write_text(
        '{"event": "ready", "level": "info"}\n'
        '{"event": "cannot_start", "level": "error", "error": "no stream"}\n'
        '{"event": "stopped", "level": "info"}\n'
    )
    assert last_words(log) == "cannot_start: no stream"


def test_of_a_traceback_the_line_that_says_what(log: Path) -> None:
    log.write_text(
        '{"event": "process_failed", "level": "error", "exception": "Traceback…\\n  File x\\nKeyError: 3"}\n'
    )
    assert last_words(log) == "process_failed: KeyError: 3"


def test_a_structured_log_without_errors(log: Path) -> None:
    log.write_text('{"event": "started"}\n{"event": "stopping", "reason": "SIGTERM"}\n')
    assert last_words(log) == "stopping: SIGTERM"


def test_an_empty_log(log: Path) -> None:
    log.touch()
    assert last_words(log) == "it said nothing"


def test_a_very_long_log_is_not_read_whole_nor_repeated_whole(log: Path) -> None:
    log.write_text("x" * 1_000_000 + "\n" + "y" * 1000)
    assert last_words(log) == "y" * 300
