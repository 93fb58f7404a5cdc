"""A bill of materials names what is installed, and nothing that is not."""

import json
from pathlib import Path

from deploy.docker.sbom import bill

STATUS = """\
Package: python3.11
Status: install ok installed
Architecture: amd64
Version: 3.11.2-6+deb12u8

Package: binutils
Status: deinstall ok config-files
Architecture: amd64
Version: 2.40-2
"""


def test_it_names_what_is_installed(tmp_path: Path) -> None:
    (tmp_path / "var/lib/dpkg").mkdir(parents=True)
    (tmp_path / "var/lib/dpkg/status").write_text(STATUS)
    package = tmp_path / "opt/pregao/lib/python3.11/site-packages/uuid_utils-0.11.0.dist-info"
    package.mkdir(parents=True)
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: uuid_utils\nVersion: 0.11.0\n")
    told = json.loads(bill(tmp_path, "1.2.3"))
    assert {each["purl"] for each in told["components"]} == {
        "pkg:deb/debian/python3.11@3.11.2-6%2Bdeb12u8?arch=amd64",
        "pkg:pypi/uuid-utils@0.11.0",
    }
    assert told["metadata"]["component"]["version"] == "1.2.3"
