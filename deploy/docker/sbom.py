"""What an image is made of, as a CycloneDX bill of materials: Debian's packages and Python's.

`python -m deploy.docker.sbom ROOT` prints that of a root file system (deploy/docker/build.sh).
"""

import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import distributions
from pathlib import Path

from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from packageurl import PackageURL

_PROJECT = Path(__file__).parents[2] / "pyproject.toml"
_PACKAGES = Path("opt/pregao/lib")


def bill(root: Path, version: str) -> str:
    """`root`: the image's root file system. The same image makes the same components, in the same order."""
    bom = Bom()
    image = Component(name="pregao", version=version, type=ComponentType.CONTAINER, bom_ref="pregao")
    parts = [*python_packages(root), *debian_packages(root)]
    bom.metadata.component = image
    bom.components.update(parts)
    bom.register_dependency(image, parts)
    text = JsonV1Dot6(bom).output_as_string(indent=2)
    problem = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    if problem is not None:
        raise ValueError(f"the bill of materials is not valid: {problem!r}")
    return text


def python_packages(root: Path) -> Iterator[Component]:
    sites = [str(site) for site in (root / _PACKAGES).glob("python3*/site-packages")]
    for package in distributions(path=sites):
        name = re.sub(r"[-_.]+", "-", package.metadata["Name"]).lower()
        yield _component(PackageURL("pypi", name=name, version=package.version))


def debian_packages(root: Path) -> Iterator[Component]:
    for paragraph in (root / "var/lib/dpkg/status").read_text().split("\n\n"):
        fields = dict(re.findall(r"^([A-Za-z-]+): (.*)$", paragraph, re.MULTILINE))
        if fields.get("Status") == "install ok installed":
            architecture = {"arch": fields["Architecture"]}
            yield _component(PackageURL("deb", "debian", fields["Package"], fields["Version"], architecture))


def _component(package: PackageURL) -> Component:
    return Component(
        name=package.name, version=package.version, type=ComponentType.LIBRARY, purl=package, bom_ref=str(package)
    )


if __name__ == "__main__":
    print(bill(Path(sys.argv[1]), tomllib.loads(_PROJECT.read_text())["project"]["version"]))
