from pathlib import Path

import pytest
from typer.testing import CliRunner

from protoclip_cli.cli.main import app


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    return tmp_path


@pytest.fixture
def call(desk):  # noqa: ARG001 (the working directory)
    """`call(*arguments)` runs a command; an exception that is no exit fails the test."""

    def called(*arguments):
        done = CliRunner().invoke(app, list(map(str, arguments)), prog_name="protoclip")
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done

    return called


SMALL = """\
# A small recipe.
name: small
pairs: {kind: glyphs, limit: 64}
model: {kind: open_clip, name: glyphs-tiny}
objectives:
  clip: {kind: info_nce}
batch: {size: 32}
"""


@pytest.fixture
def small(desk):
    """A recipe in the working directory."""
    assert desk == Path.cwd()
    path = Path("small.yaml")
    path.write_text(SMALL)
    return path
