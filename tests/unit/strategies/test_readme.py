"""What the README tells authors is true."""

import re
from pathlib import Path

from libs.strategies.__main__ import main
from libs.strategies.registry import STRATEGIES

README = Path("libs/strategies/README.md").read_text(encoding="utf-8")


def test_the_example_can_be_used(tmp_path: Path) -> None:
    [example] = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    path = tmp_path / "follow_the_body.py"
    path.write_text(example)
    assert main(["check", str(path)]) == 0


def test_every_built_in_strategy_is_named() -> None:
    assert set(re.findall(r"^\| `([a-z-]+)` \|", README, re.MULTILINE)) == set(STRATEGIES)
