"""Which file a path names, and that it is never one outside of the client's directory."""

from pathlib import Path

import pytest

from services.socket_edge.pages import _file


@pytest.fixture
def client(tmp_path: Path) -> Path:
    directory = tmp_path / "client"
    (directory / "assets").mkdir(parents=True)
    (directory / "index.html").write_text("<head></head>")
    (directory / "assets" / "app.js").write_text("1")
    (tmp_path / "secret").write_text("s")
    (directory / "out").symlink_to(tmp_path / "secret")
    return directory


def test_a_file_is_found_in_the_first_directory_that_has_it(client: Path, tmp_path: Path) -> None:
    admin = tmp_path / "admin"
    admin.mkdir()
    (admin / "only.css").write_text("2")
    assert _file([client, admin], "/assets/app.js") == client / "assets" / "app.js"
    assert _file([client, admin], "/only.css") == admin / "only.css"


@pytest.mark.parametrize(
    "path",
    ["/../secret", "/assets/../../secret", "/out", "/", "/index.html", "/assets", "/\0", "/" + "x" * 5000, "/no"],
)
def test_nothing_else_is(client: Path, path: str) -> None:
    assert _file([client], path) is None
