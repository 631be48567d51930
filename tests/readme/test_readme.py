"""Every code block of the README runs. Its two install lines are run by .ci/run."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from PIL import Image
from typer.main import get_command
from typer.testing import CliRunner

from protoclip_cli.cli.main import app
from protoclip_cli.recipe.train import TrainRecipe

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"(?:<!-- ([\w ]+) -->\n)?```(\w+)\n(.*?)```", README, re.DOTALL)
# What makes the quickstart a test, and a fine-tuning of ViT-B-32: a tiny model from scratch, and few rows.
QUICK = ["episodes.rows=128", "batch.size=64", "evaluate.tasks={zero_shot: {benchmarks: [glyphs_digits]}}"]
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


def shrunk(arguments: list[str]) -> list[str]:
    """A command as small as a test wants it; what the command itself sets comes last and wins."""
    if arguments[0] != "train":
        return arguments
    values = SHRINK
    if arguments[1].startswith("quickstart"):
        values = [*QUICK, "episodes.count=2", *["prototypes.k=10"] * (arguments[1] == "quickstart")]
    return [*arguments[:2], *(word for value in values for word in ("--set", value)), *arguments[2:]]


def run(text: str) -> list[str]:
    """Run the lines of a block, and return the commands."""
    ran = []
    for line in text.splitlines():
        command, *arguments = shlex.split(line, comments=True)
        assert command == "protoclip"
        result = CliRunner().invoke(app, shrunk(arguments))
        assert result.exit_code == 0, (line, result.output, result.exception)
        ran.append(arguments[0])
    return ran


@pytest.mark.slow
def test_bash_blocks_run(desk: Path) -> None:
    ran = [
        command
        for title, text in blocks("bash")
        if not title.startswith("install") and title != "walk"
        for command in run(text)
    ]
    assert ran.count("train") == 3
    assert (desk / "runs" / "mine" / "checkpoints" / "last").exists()


@pytest.mark.slow
def test_the_walk_runs_and_visits_every_command(desk: Path) -> None:
    (walk,) = (text for title, text in blocks("bash") if title == "walk")
    assert set(run(walk)) == get_command(app).commands.keys() - {"submit"}  # which takes a cluster
    assert (desk / "report.html").stat().st_size > 10_000
    assert list((desk / "runs" / "quickstart" / "figures").glob("*.png"))
    assert (desk / "runs" / "further" / "checkpoints" / "last").exists()


def test_the_pictures_of_the_readme_are_here_and_small() -> None:
    pictures = re.findall(r"\]\((\.github/[^)]+)\)", README)
    assert pictures
    assert all((Path(__file__).parents[2] / picture).stat().st_size < 120_000 for picture in pictures)


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
