import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from services.paper_broker.storage import IN_MEMORY, CannotOpen, Storage

INSERT = "INSERT INTO users (id, created_at) VALUES (?, 0)"


def users(storage: Storage) -> list[int]:
    return [row["id"] for row in storage.rows("SELECT id FROM users ORDER BY id")]


def test_a_transaction_is_kept_as_a_whole() -> None:
    storage = Storage(IN_MEMORY)
    with storage.transaction():
        storage.change(INSERT, 1)
        storage.change(INSERT, 2)
    assert users(storage) == [1, 2]


def test_a_transaction_that_raises_leaves_nothing() -> None:
    storage = Storage(IN_MEMORY)
    with pytest.raises(ZeroDivisionError), storage.transaction():
        storage.change(INSERT, 1)
        _ = 1 // 0
    assert users(storage) == []
    with storage.transaction():
        storage.change(INSERT, 3)
    assert users(storage) == [3]


def test_what_was_committed_is_there_without_an_orderly_end(tmp_path: Path) -> None:
    path = tmp_path / "made" / "on-the-way.sqlite"
    storage = Storage(str(path))
    with storage.transaction():
        storage.change(INSERT, 1)
    copy = tmp_path / "copy.sqlite"
    for suffix in ("", "-wal"):
        Path(f"{copy}{suffix}").write_bytes(Path(f"{path}{suffix}").read_bytes())
    assert users(Storage(str(copy))) == [1]
    storage.close()


def test_a_file_belongs_to_one_process_at_a_time(tmp_path: Path) -> None:
    path = str(tmp_path / "broker.sqlite")
    first = Storage(path)
    with pytest.raises(CannotOpen, match=r"broker\.sqlite: database is locked"):
        Storage(path)
    first.close()
    Storage(path).close()


def test_a_file_that_is_no_database_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "broker.sqlite"
    path.write_text("no database, but long enough to be taken for one " * 100)
    with pytest.raises(CannotOpen, match=r"broker\.sqlite"):
        Storage(str(path))
    with pytest.raises(CannotOpen):
        Storage(str(path / "below-a-file" / "broker.sqlite"))


def test_a_file_of_another_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "broker.sqlite"
    with closing(sqlite3.connect(path)) as old:
        old.execute("CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT)")
    with pytest.raises(CannotOpen, match=r"broker\.sqlite: was made by another version .* move or delete it"):
        Storage(str(path))
    with closing(sqlite3.connect(path)) as old:
        assert old.execute("SELECT count(*) FROM sqlite_schema").fetchone() == (1,)


def test_numbers_are_given_once_and_go_on_after_a_restart(tmp_path: Path) -> None:
    path = str(tmp_path / "broker.sqlite")
    with closing(Storage(path)) as storage, storage.transaction():
        assert [storage.next_id() for _ in range(3)] == [1, 2, 3]
    with closing(Storage(path)) as storage:
        with pytest.raises(ZeroDivisionError), storage.transaction():
            _ = storage.next_id() // 0
        with storage.transaction():
            assert storage.next_id() == 4
