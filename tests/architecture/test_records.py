"""Version, CHANGELOG and public names agree."""

import re
from pathlib import Path

import protoclip_cli

ROOT = Path(__file__).parents[2]


def test_the_changelog_begins_with_this_version() -> None:
    versions = re.findall(r"^## \[([\d.]+)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert versions[0] == protoclip_cli.__version__


def test_public_names_exist() -> None:
    assert all(getattr(protoclip_cli, name) for name in protoclip_cli.__all__)


def test_the_top_level_is_what_the_design_fixed() -> None:
    allowed = {"protoclip_cli", "recipes", "tests", "pyproject.toml", "README.md", "CHANGELOG.md", "LICENSE"}
    made = {"build", "dist", "runs", "venv"}
    found = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")}
    assert found - made <= allowed
