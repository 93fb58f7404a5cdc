from pathlib import Path

import pytest

from libs.strategies.__main__ import main
from tests.unit.strategies.authors import write


def test_list_shows_every_strategy_with_its_parameters(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, "follow")
    assert main(["list", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    for text in (
        "aggressive  (built in; 1 candles)",
        "rsiLow = 35.0  [0 … 50]  An RSI below this says CALL.",
        "variant = rsi  one of ['consensus', 'rsi']",
        "follow  (follow.py; 1 candles)",
        "least = 0.0  [0 … 1]  Least move that is followed.",
    ):
        assert text in shown


def test_check_says_what_is_wrong_and_ends_with_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = write(tmp_path, "follow"), write(tmp_path, "bad", "1 / 0")
    assert main(["check", str(good)]) == 0
    assert main(["check", str(good), str(bad), str(tmp_path / "none.py")]) == 1
    told = capsys.readouterr().err.splitlines()
    assert told[0].startswith(f"{bad}: on an empty panel: evaluate raised ZeroDivisionError: division by zero (line 23")
    assert told[1].startswith(f"{tmp_path}/none.py: it cannot be imported: FileNotFoundError")
