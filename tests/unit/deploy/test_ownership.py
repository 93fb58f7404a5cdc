import os
import stat
from pathlib import Path

import pytest

from deploy.local.ownership import owned
from libs.service import CannotStart


def test_a_directory_has_one_owner_at_a_time(tmp_path: Path) -> None:
    with (
        owned(tmp_path / "stack"),
        pytest.raises(CannotStart, match=r"already runs on the data in .*; PREGAO_LOCAL_DIR changes it"),
        owned(tmp_path / "stack"),
    ):
        pass
    with owned(tmp_path / "stack"):
        pass


def test_who_inherits_the_lock_keeps_it(tmp_path: Path) -> None:
    with owned(tmp_path) as lock:
        inherited = os.dup(lock)
    with pytest.raises(CannotStart), owned(tmp_path):
        pass
    os.close(inherited)
    with owned(tmp_path):
        pass


def test_a_new_directory_is_its_owners_alone(tmp_path: Path) -> None:
    with owned(tmp_path / "new" / "stack"):
        assert stat.S_IMODE((tmp_path / "new" / "stack").stat().st_mode) == 0o700


def test_a_directory_that_cannot_be_is_named_with_its_setting(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(CannotStart, match=r"file/stack cannot be written .*; PREGAO_LOCAL_DIR"),
        owned(tmp_path / "file" / "stack"),
    ):
        pass
