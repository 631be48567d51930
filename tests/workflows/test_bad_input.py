"""What users get wrong, and what they are told: exit code, words, and what is left behind."""

import json
import shutil
from pathlib import Path

import pytest
import torch
import yaml
from PIL import Image
from safetensors.torch import load_file, save_file

from protoclip_cli.cli.screen import Screen
from protoclip_cli.store.checkpoints import list_checkpoints

WILD = [
    "",
    "   ",
    "dog " * 2500,
    "[bold]red[/bold] [/] {x} %s $HOME",
    "🐕 naïve 猫\u202e",
    '"quoted',
    "&lt;b&gt;",
]


@pytest.fixture
def table(call):  # noqa: ARG001 (an empty working directory)
    """`table(bad=..., captions=...)` writes 120 images and their table; bad ones by row, from bytes."""

    def written(bad=None, captions=WILD):
        folder = Path("data")
        folder.mkdir()
        lines = ["filepath\ttitle"]
        for row in range(120):
            Image.new("RGB", (40, 33), (row, 2 * row, 99)).save(folder / f"{row}.png")
            lines.append(f"{row}.png\t{captions[row % len(captions)]}")
        for row, content in (bad or {}).items():
            path = folder / f"{row}.png"
            path.unlink()
            if callable(content):
                content(path)
            elif content is not None:
                path.write_bytes(content)
        (folder / "t.tsv").write_text("\n".join(lines) + "\n")
        return folder / "t.tsv"

    return written


@pytest.fixture
def write(recipe_file, plain, call):  # noqa: ARG001 (an empty working directory)
    """`write(key=value, ...)` writes r.yaml: one short episode, nothing to evaluate."""

    def written(**parts):
        short = {"episodes": {"count": 1}, "towers": None, "validation": None, "evaluate": None}
        return recipe_file(Path("r.yaml"), **{"name": "bad", **plain, **short, **parts})

    return written


def csv(path, **fields):
    return {"kind": "csv", "path": str(path), **fields}


def truncated(path):
    whole = path.with_suffix(".whole.png")
    Image.effect_noise((60, 60), 90).save(whole)
    path.write_bytes(whole.read_bytes()[:900])
    whole.unlink()


def huge(path):
    Image.new("1", (300, 300)).save(path, format="png")


ODD = {3: None, 20: b"", 41: b"<html>404</html>", 60: truncated, 77: huge, 99: b"GIF89a"}
REASONS = {
    3: "no such file",
    20: "not an image",
    41: "not an image",
    60: "cannot be decoded",
    77: "300 x 300 is more than 80,000 pixels",
    99: "not an image",
}


def test_odd_images_and_captions_are_survived_counted_and_listed(table, write, call):
    pairs = csv(table(ODD), max_pixels=80_000)
    done = call("train", write(pairs=pairs))
    assert done.exit_code == 0, done.stderr
    assert done.stdout == "runs/bad\n"
    assert "warning: pairs: 35 rows: empty captions" in done.stderr
    assert "warning: 17 of 120 captions are longer than the model's 24 tokens and were cut" in done.stderr
    events = [json.loads(line) for line in Path("runs/bad/events.jsonl").read_text().splitlines()]
    assert {event["event"] for event in events} == {"bad_image"}
    for row, reason in REASONS.items():
        (found,) = {event["reason"] for event in events if event["row"] == row}
        assert found.startswith(f"data/{row}.png: {reason}")
    state = json.loads(Path("runs/bad/checkpoints/last/state.json").read_text())
    assert state["images_read"] == 120
    assert state["images_bad"] == len(events) >= 6


def test_workers_read_the_same_odd_images(table, write, call):
    pairs = csv(table(ODD), max_pixels=80_000)
    for workers in (0, 1):
        recipe = write(pairs=pairs, batch={"size": 12, "workers": workers}, name=f"w{workers}")
        assert call("train", recipe, "-q").exit_code == 0
    for name in ("events.jsonl", "metrics.jsonl"):
        assert Path("runs/w0", name).read_bytes() == Path("runs/w1", name).read_bytes()


def test_too_many_bad_images_stop_the_run(table, write, call):
    done = call("train", write(pairs=csv(table(dict.fromkeys(range(0, 120, 6))))))
    assert done.exit_code == 4
    assert done.stdout == ""
    error, hint = done.stderr.splitlines()[-2:]
    assert (
        "images could not be read, more than pairs.max_bad_fraction = 0.1 allows; one of them: data/" in error
    )
    assert error.startswith("error: ")
    assert error.endswith(".png: no such file")
    assert hint == "hint: repair or drop them (events.jsonl lists all), or raise pairs.max_bad_fraction"
    status = json.loads(Path("runs/bad/status.json").read_text())
    assert (status["state"], status["exit"]) == ("failed", 4)


TABLES = {
    "missing": (
        None,
        "there is no table at data/t.tsv",
        "set `path` to a .tsv, .csv, .parquet or .jsonl file",
    ),
    "empty": ("", "data/t.tsv is empty", "a table has one line of column names and then its rows"),
    "header only": ("filepath\ttitle\n", "data/t.tsv has no rows", "a table has one line of column names"),
    "wrong columns": (
        "file_pth\twords\na.png\tb\n",
        "data/t.tsv has no column for `image_column`",
        "set `image_column` (nearest: 'file_pth'); the first row names 'file_pth', 'words'",
    ),
}


@pytest.mark.parametrize("case", TABLES)
def test_a_table_that_is_not_what_it_should_be(case, write, call):
    text, error, hint = TABLES[case]
    Path("data").mkdir()
    if text is not None:
        Path("data/t.tsv").write_text(text)
    recipe = write(pairs=csv("data/t.tsv"))
    for arguments in (("train", recipe), ("train", recipe, "--dry-run")):
        done = call(*arguments)
        assert done.exit_code == 4
        assert done.stdout == ""
        said = done.stderr.splitlines()
        assert said[0].startswith(f"error: {error}")
        assert said[1].startswith(f"hint: {hint}")
        assert len(said) == 2


def test_after_a_mistake_is_mended_the_same_command_works(table, write, call):
    """A run that never took a step holds nothing, and is not in the way."""
    path = table()
    hidden = path.rename("hidden.tsv")
    assert call("train", write(pairs=csv(path))).exit_code == 4
    assert call("train", write(pairs=csv(path), batch={"size": 6, "workers": 0})).exit_code == 4
    hidden.rename(path)
    done = call("train", write(pairs=csv(path)))
    assert done.exit_code == 0, done.stderr
    assert call("train", write(pairs=csv(path))).exit_code == 2


MODELS = {
    "name": ({"name": "glyphs-tyni"}, "open_clip has no model 'glyphs-tyni'", "did you mean glyphs-tiny"),
    "tag": (
        {"name": "RN50", "pretrained": "opnai"},
        "model.pretrained 'opnai' is neither a file nor a tag",
        "tags of RN50: openai, yfcc15m, cc12m",
    ),
    "folder": ({"name": "local-dir:nowhere"}, "nowhere has no open_clip_config.json", "`local-dir:` takes"),
}


@pytest.mark.parametrize("case", MODELS)
def test_a_model_that_is_not_there(case, write, call):
    model, error, hint = MODELS[case]
    done = call("train", write(model={"kind": "open_clip", **model}), "-q")
    assert done.exit_code == 3
    assert done.stderr.splitlines()[0] == f"error: {error}"
    assert done.stderr.splitlines()[1].startswith(f"hint: {hint}")


def test_a_recipe_with_mistakes_starts_nothing(write, call):
    done = call("train", write(bach={"size": 3}, batch={"size": "x"}))
    assert done.exit_code == 3
    assert "r.yaml" in done.stderr
    assert "bach: unknown key; did you mean 'batch'?" in done.stderr
    assert "batch.size: Input should be a valid integer" in done.stderr
    assert not Path("runs").exists()


def test_a_checkpoint_of_another_model(copied, recipe_file, call):
    status = copied / "status.json"
    status.write_text(status.read_text().replace("finished", "stopped"))
    path = recipe_file(
        "r.yaml",
        model=yaml.safe_load((copied / "recipe.yaml").read_text())["model"] | {"name": "glyphs-tiny"},
    )
    done = call("train", path, "--run", copied, "--resume", "--allow-recipe-change", "-q")
    assert done.exit_code == 4
    assert "model.safetensors is of another model: " in done.stderr
    assert "hint: use the recipe the checkpoint was trained with" in done.stderr
    assert [c.step for c in list_checkpoints(copied / "checkpoints")] == [4, 5, 8, 10, 12, 15]


def test_a_model_that_is_not_finite_has_no_scores(tiny, call):
    shutil.copytree(tiny, "broken")
    weights = load_file("broken/open_clip_model.safetensors")
    weights["visual.conv1.weight"][0] = float("nan")
    save_file(weights, "broken/open_clip_model.safetensors")
    done = call("evaluate", "--ckpt", "broken", "--tasks", "zero_shot", "--benchmarks", "glyphs_digits")
    assert done.exit_code == 1
    assert done.stdout == ""
    assert "error: the model gave features that are not finite for 30 of 30 images" in done.stderr
    assert "hint: training has diverged or the precision overflowed" in done.stderr


def test_a_loss_that_is_not_finite_stops_the_run_and_is_in_no_checkpoint(write, call):
    recipe = write(
        optimizer={"kind": "adamw", "lr": 1e30}, schedule={"kind": "constant"}, checkpoints={"every_steps": 1}
    )
    done = call("train", recipe, "-q")
    assert done.exit_code == 1
    assert "is not finite (NaN or Inf), so training stopped" in done.stderr
    assert "hint: lower optimizer.lr" in done.stderr
    for checkpoint in list_checkpoints(Path("runs/bad/checkpoints")):
        tensors = load_file(checkpoint.path / "model.safetensors")
        assert all(tensor.isfinite().all() for tensor in tensors.values() if tensor.is_floating_point())
    assert json.loads(Path("runs/bad/status.json").read_text())["exit"] == 1


def test_a_folder_with_a_run_or_with_something_else(whole, write, call):
    done = call("train", write(), "--run", whole)
    assert done.exit_code == 2
    assert done.stderr.splitlines() == [
        f"error: {whole} already holds a run (finished, step 15 of 15)",
        "hint: continue it with --resume, or choose another folder with --run",
    ]
    Path("photos").mkdir()
    Path("photos/a.png").write_bytes(b"x")
    for flags in ((), ("--resume",)):
        done = call("train", write(), "--run", "photos", *flags)
        assert done.exit_code == 2
        assert "photos has files in it but no recipe.yaml, so it is not a run" in done.stderr
    assert [path.name for path in Path("photos").iterdir()] == ["a.png"]
    Path("file").write_text("x")
    assert call("train", write(), "--run", "file").exit_code == 2


def test_a_name_with_brackets_is_a_name(write, call):
    recipe = write(name="tea[glove]_stu[RN50]", episodes={"count": 1, "rows": 24})
    done = call("train", recipe, "--json")
    assert done.exit_code == 0, done.stderr
    run = "runs/tea_glove_stu_RN50"
    assert json.loads(done.stdout) == {"run": run, "step": 2, "scores": []}
    done = call("evaluate", "--ckpt", run, "--tasks", "zero_shot", "--benchmarks", "glyphs_digits", "-q")
    assert (done.exit_code, done.stdout, done.stderr) == (0, f"{run}\n", "")


def test_a_dry_run_tells_of_a_warm_up_that_never_ends_and_writes_nothing(write, call):
    recipe = write(schedule={"kind": "cosine", "warmup": 2000})
    before = sorted(Path().rglob("*"))
    done = call("train", recipe, "--dry-run")
    assert done.exit_code == 0
    warning = "warning: warm-up takes 2,000 steps and the run has 5: the rate never gets to its base\n"
    assert done.stderr == warning
    plan = dict(line.split("  ", 1) for line in done.stdout.splitlines())
    assert plan["warm-up"].strip() == "2,000 steps"
    assert plan["steps"].strip() == "5 (1 episodes x 5)"
    assert plan["loss at chance"].strip() == "ln(12) = 2.485"
    values = json.loads(call("train", recipe, "--dry-run", "--json").stdout)
    assert (values["pairs"], values["batch"], values["steps"]) == (60, 12, 5)
    assert sorted(Path().rglob("*")) == before


def test_a_batch_larger_than_an_episode(write, call):
    done = call("train", write(batch={"size": 64}), "-q")
    assert done.exit_code == 3
    assert done.stderr.splitlines() == [
        "error: an episode of 60 rows has less than one batch of 64",
        "hint: lower batch.size, or raise episodes.rows",
    ]


def test_a_tracker_that_is_not_installed(write, call, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    done = call("train", write(trackers=["wandb"]), "-q")
    assert done.exit_code == 5
    assert done.stderr == "error: the tracker wandb is not installed\nhint: pip install 'protoclip[wandb]'\n"
    assert not Path("runs").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_precision_the_device_does_not_have(write, call):
    done = call("train", write(compute={"precision": "fp16"}), "-q")
    assert done.exit_code == 3
    assert "fp16 needs a GPU" in done.stderr


EVALUATIONS = [
    (("--ckpt", "nowhere"), 4, "there is no folder or file nowhere", "there are no runs in this directory"),
    (
        ("--ckpt", "data"),
        4,
        "data is neither a run (no recipe.yaml), a checkpoint",
        "name a folder under runs/",
    ),
    (
        ("--ckpt", "RUN", "--tasks", "zero_sho"),
        2,
        "there is no probe or list of tasks 'zero_sho'",
        "did you mean 'zero_shot'? probes: ",
    ),
    (
        ("--ckpt", "RUN", "--benchmarks", "glyph_digits"),
        2,
        "there is no benchmark or group 'glyph_digits'",
        "did you mean 'glyphs_digits'?",
    ),
    (("--ckpt", "RUN", "--tasks", "no.yaml"), 3, "there is no file no.yaml", ""),
    (
        ("--ckpt", "RUN", "--set", "seed=1"),
        2,
        "--set changes a recipe, and --tasks names none",
        "use --tasks",
    ),
    (
        ("--ckpt", "RUN", "--tasks", "retrieval", "--data", "gone"),
        4,
        "nothing could be evaluated",
        "the notes",
    ),
    (
        ("--ckpt", "RUN", "--tasks", "evaluate/glyphs", "--data", "data"),
        2,
        "a recipe of tasks names its",
        "leave",
    ),
]


@pytest.mark.parametrize(("arguments", "code", "error", "hint"), EVALUATIONS)
def test_an_evaluation_that_cannot_be(arguments, code, error, hint, whole, call):
    Path("data").mkdir()
    done = call("evaluate", *(whole if argument == "RUN" else argument for argument in arguments))
    assert done.exit_code == code
    assert done.stdout == ""
    said = done.stderr.splitlines()
    assert said[-2].startswith(f"error: {error}")
    assert said[-1].startswith(f"hint: {hint}")


def test_a_run_name_that_is_nearly_right(call):
    Path("runs/quickstart").mkdir(parents=True)
    done = call("evaluate", "--ckpt", "runs/quickstrat")
    assert done.exit_code == 4
    assert done.stderr.splitlines()[1] == "hint: did you mean runs/quickstart?"


def test_a_run_without_a_checkpoint(copied, call):
    shutil.rmtree(copied / "checkpoints")
    done = call("evaluate", "--ckpt", copied)
    assert done.exit_code == 4
    assert "has no checkpoint yet" in done.stderr


def test_a_damaged_checkpoint_is_not_evaluated(copied, call):
    (copied / "checkpoints/step_15/model.safetensors").write_bytes(b"x")
    done = call("evaluate", "--ckpt", copied / "checkpoints" / "last")
    assert done.exit_code == 4
    assert "is damaged: model.safetensors is not what was saved" in done.stderr
    arguments = ("--tasks", "zero_shot", "--benchmarks", "glyphs_digits", "--json")
    done = call("evaluate", "--ckpt", copied, *arguments)
    assert done.exit_code == 0
    assert {row["step"] for row in json.loads(done.stdout)["scores"]} == {12}
    assert "step_15 is damaged" in done.stderr


def test_words_of_strangers_are_no_markup(capsys):
    screen = Screen()
    screen.note("[bold]a[/bold] [/] \x1b[31m \x07")
    row = {
        "probe": "[b]",
        "benchmark": "tea[glove]\x1b",
        "metric": "top1",
        "value": 0.5,
        "ci95": None,
        "n": 3,
    }
    screen.scores([row])
    screen.table([row])
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("[bold]a[/bold] [/] \\x1b[31m \\x07\n  [b] tea[glove]\\x1b top1: 50.0 %\n")
    assert "\x1b" not in said.err
