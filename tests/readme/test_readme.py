"""Every code block of the README runs. Its two install lines are run by .ci/run."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from PIL import Image
from typer.testing import CliRunner

from protoclip_cli.cli.main import app
from protoclip_cli.recipe.train import TrainRecipe

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"(?:<!-- ([\w ]+) -->\n)?```(\w+)\n(.*?)```", README, re.DOTALL)
# What makes a fine-tuning of ViT-B-32 a test: a tiny model from scratch, and few rows.
SHRINK = ["model.name=glyphs-tiny", "model.pretrained=null", "episodes.count=1", "batch.size=8"]


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with a table of pairs and a folder of photos."""
    monkeypatch.chdir(tmp_path)
    lines = ["filepath\ttitle"]
    for number in range(24):
        kind = ("cat", "dog")[number % 2]
        for path in (
            f"images/{number}.png",
            f"photos/{('train', 'test')[number % 3 == 0]}/{kind}/{number}.png",
        ):
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (40, 40), (number * 10, 255 * (number % 2), 90)).save(path)
        lines.append(f"images/{number}.png\ta photo of {kind} number {number}")
    Path("pairs.tsv").write_text("\n".join(lines) + "\n")
    return tmp_path


def blocks(language: str) -> Iterator[tuple[str, str]]:
    yield from ((title, text) for title, found, text in BLOCKS if found == language)


def test_the_two_install_blocks_are_one_line_each() -> None:
    installs = {title: text for title, text in blocks("bash") if title.startswith("install")}
    assert sorted(installs) == ["install and run", "install and test"]
    assert all(text.count("\n") == 1 for text in installs.values())


def test_every_block_is_of_a_language_a_test_knows() -> None:
    assert {language for _, language, _ in BLOCKS} <= {"bash", "yaml", "python", "text"}


@pytest.mark.slow
def test_bash_blocks_run(desk: Path) -> None:
    ran = []
    for title, text in blocks("bash"):
        if title.startswith("install"):
            continue
        for line in text.splitlines():
            command, *arguments = shlex.split(line)
            assert command == "protoclip"
            if arguments[0] == "train":
                arguments += [word for value in SHRINK for word in ("--set", value)]
            result = CliRunner().invoke(app, arguments)
            assert result.exit_code == 0, (line, result.output, result.exception)
            ran.append(arguments[0])
    assert ran.count("train") == 3
    assert (desk / "runs" / "mine" / "checkpoints" / "last").exists()


def test_yaml_blocks_are_recipes() -> None:
    for _, text in blocks("yaml"):
        TrainRecipe.model_validate(yaml.safe_load(text))


@pytest.mark.slow
@pytest.mark.usefixtures("desk")
def test_python_blocks_run() -> None:
    for title, text in blocks("python"):
        if title == "an objective of your own":  # test_adding_an_objective.py trains with it
            continue
        exec(compile(text, "README.md", "exec"), {})
    assert Path("runs/from_python/checkpoints/last").exists()


def test_every_command_in_the_table_exists() -> None:
    commands = ("train", "evaluate", "export", "doctor", "extract-teacher", "cluster", "recipes", "submit")
    for command in (*commands, "summarize", "visualize"):
        assert f"protoclip {command}" in README
        assert CliRunner().invoke(app, [command, "--help"]).exit_code == 0
