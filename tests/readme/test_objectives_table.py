"""The README's table of objectives is what the command prints; run as a script, this file writes it."""

import re
from pathlib import Path

from typer.testing import CliRunner

from protoclip_cli.cli.main import app

README = Path(__file__).parents[2] / "README.md"
BETWEEN = re.compile(r"(?<=<!-- objectives: begin -->\n).*?(?=<!-- objectives: end -->)", re.DOTALL)


def printed() -> str:
    """What the command prints."""
    done = CliRunner().invoke(app, ["recipes", "kinds", "objectives", "--markdown"])
    assert (done.exit_code, done.stderr) == (0, "")
    return str(done.stdout)


def test_the_table_is_what_the_command_prints() -> None:
    (shown,) = BETWEEN.findall(README.read_text(encoding="utf-8"))
    assert shown == printed(), "run `python tests/readme/test_objectives_table.py`"


if __name__ == "__main__":
    README.write_text(BETWEEN.sub(lambda _: printed(), README.read_text(encoding="utf-8")), encoding="utf-8")
