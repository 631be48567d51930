"""Several processes: the numbers of one, written once, and the exit code of the run."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from protoclip_cli.core.errors import RecipeError
from protoclip_cli.workflows.building import check_processes
from protoclip_cli.workflows.train import train

# Fewer episodes than elsewhere: every process imports torch first.
PARTS = {"episodes": {"count": 2}, "towers": None, "evaluate": None}


def start(*arguments):
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
    command = [sys.executable, "-m", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env=environment, timeout=200, check=False)


def rows(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture(scope="module")
def one(recipe_file, tmp_path_factory):
    """The recipe, and the run of one process."""
    from protoclip_cli.recipe.load import load_recipe
    from protoclip_cli.recipe.train import TrainRecipe

    folder = tmp_path_factory.mktemp("one")
    path = recipe_file(folder / "r.yaml", **PARTS)
    return path, train(load_recipe(path, TrainRecipe), run=folder / "run").run


def same(run, other):
    got, want = rows(run / "metrics.jsonl"), rows(other / "metrics.jsonl")
    assert [row["step"] for row in got] == list(range(1, 11))
    for row, wanted in zip(got, want, strict=True):
        assert row.keys() == wanted.keys()
        for name, value in wanted.items():
            # Adam turns roundings of gradients near zero into whole steps, so differences grow.
            close = 1e-5 if row["step"] == 1 else 1e-3 if name.endswith("loss") else 2e-2
            if not name.endswith("accuracy"):  # whole rows change places
                assert row[name] == pytest.approx(value, rel=close), (row["step"], name)
    scores, wanted = rows(run / "scores.jsonl"), rows(other / "scores.jsonl")
    names = [(row["probe"], row["metric"], row["step"]) for row in scores]
    assert names == [(row["probe"], row["metric"], row["step"]) for row in wanted]
    assert len(set(names)) == len(names)
    table = (run / "evaluation_metrics_all.csv").read_text().splitlines()
    assert len(table) == len((other / "evaluation_metrics_all.csv").read_text().splitlines())


@pytest.mark.slow
def test_two_processes_of_our_own_launcher(one, tmp_path):
    path, alone = one
    done = start("protoclip_cli", "train", path, "--run", tmp_path / "run", "--nproc", 2)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == str(tmp_path / "run")
    assert done.stderr.count("batch 12 on 2 x cpu") == 1
    assert json.loads((tmp_path / "run" / "run.json").read_text())["processes"] == 2
    assert sorted(path.name for path in (tmp_path / "run" / "logs").iterdir()) == ["rank_0.log", "rank_1.log"]
    same(tmp_path / "run", alone)


@pytest.mark.slow
def test_three_processes_of_torchrun(one, tmp_path):
    path, alone = one
    launcher = ("torch.distributed.run", "--standalone", "--nproc-per-node", 3)
    # Without the bare `--`, torchrun takes --run for an abbreviation of its own --run-path.
    done = start(*launcher, "-m", "--", "protoclip_cli", "train", path, "--run", tmp_path / "run", "-q")
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(tmp_path / "run")]
    same(tmp_path / "run", alone)


@pytest.mark.slow
def test_a_failing_run_ends_the_launcher_with_its_code(recipe_file, plain, tmp_path):
    """Loader workers that an error left behind must not keep the processes from ending."""
    table = tmp_path / "t.tsv"
    table.write_text("filepath\ttitle\n" + "".join(f"{i}.jpg\ta dog\n" for i in range(40)))
    pairs, batch = {"kind": "csv", "path": str(table)}, {"size": 12, "workers": 1}
    path = recipe_file(tmp_path / "r.yaml", pairs=pairs, batch=batch, validation=None, **plain)
    run = tmp_path / "run"
    done = start("protoclip_cli", "train", path, "--run", run, "--nproc", 2)
    assert done.returncode == 4, done.stderr
    assert "error: row " in done.stderr
    assert "hint: check the image paths" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert json.loads((run / "status.json").read_text())["exit"] == 4


@pytest.mark.slow
def test_what_fails_on_the_first_process_fails_on_all_of_them(recipe_file, tmp_path):
    """A teacher is fitted by the first process, while the others wait for it."""
    table = tmp_path / "t.tsv"
    table.write_text("filepath\ttitle\n" + "".join(f"{i}.jpg\ta dog\n" for i in range(40)))
    path = recipe_file(tmp_path / "r.yaml", pairs={"kind": "csv", "path": str(table)}, validation=None)
    done = start("protoclip_cli", "train", path, "--run", tmp_path / "run", "--nproc", 2)
    assert done.returncode == 3, done.stderr
    assert "error: 40 captions with 2 different words are too few" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_batch_that_cannot_be_shared_is_refused(recipe):
    check_processes(recipe("batch.accumulate=2"), 3)
    with pytest.raises(
        RecipeError, match=r"batch\.size 12 cannot be shared by 4 processes x accumulate 2"
    ) as e:
        check_processes(recipe("batch.accumulate=2"), 4)
    assert e.value.exit_code == 3
    assert e.value.hint == "use a multiple of 8, for example --set batch.size=8"


def test_a_number_of_processes_is_a_number(recipe_file, call):
    path = recipe_file(Path("r.yaml"))
    for nproc in ("0", "two", "-1", "1.5"):
        done = call("train", path, f"--nproc={nproc}")
        assert done.exit_code == 2
        assert done.stderr == f"error: --nproc takes a number from 1 or `auto`, not '{nproc}'\n"
