"""The README tells every setting as it is."""

from deploy.settings_table import README, table, written


def test_the_readme_has_the_table_that_the_settings_make() -> None:
    readme = README.read_text()
    assert readme == written(readme), "run `make settings`"


def test_the_table_names_settings_defaults_and_what_is_required() -> None:
    lines = table().splitlines()
    assert "| `EDGE_PORT` | `4001` | REST and Socket.IO. |" in lines
    assert any(line.startswith("| `BROKER_API_TOKEN` | required |") for line in lines)


def test_no_path_of_this_machine_is_told() -> None:
    assert "/work/" not in table()
    assert str(README.parent) not in table()
