"""The tests that docs/security.md names are there."""

import re
from pathlib import Path

import pytest

NAMED = re.findall(r"`(tests/\S+\.py)::(test_\w+)`", Path("docs/security.md").read_text())


@pytest.mark.parametrize(("file", "test"), NAMED)
def test_what_is_named_is_there(file: str, test: str) -> None:
    assert re.search(rf"^(async )?def {test}\(", Path(file).read_text(), re.MULTILINE)
