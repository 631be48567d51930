"""`protoclip visualize` from the outside, and pictures while training."""

import json
import shutil

import pytest
from PIL import Image

from protoclip_cli.drawing.records import Records
from protoclip_cli.store.lines import read_lines
from protoclip_cli.workflows import draw_episode
from protoclip_cli.workflows.train import train

FAST = "training_curves,score_curves,similarity,modality_gap,confusion"


def test_a_run_is_drawn_into_its_figures(call, copied):
    done = call("visualize", copied, "--show", FAST, "--svg")
    assert done.exit_code == 0, done.output
    *files, folder = done.stdout.splitlines()
    assert folder == str(copied / "figures")
    kinds = [*(kind for kind in FAST.split(",") if kind != "confusion"), "confusion_glyphs_digits"]
    assert {path.name for path in (copied / "figures").iterdir()} == {
        f"{k}.{e}" for k in kinds for e in ("png", "svg")
    }
    assert sorted(files) == sorted(str(path) for path in (copied / "figures").iterdir())
    for path in (copied / "figures").glob("*.png"):
        with Image.open(path) as image:
            assert image.width > 600
            assert len(image.convert("L").getcolors(256)) > 2


def test_all_that_a_checkpoint_can_show_is_drawn(call, whole, tmp_path):
    done = call("visualize", "--ckpt", whole / "checkpoints" / "last", "--out", "out", "--json")
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    assert document["left_out"] == {}
    names = {path.stem for path in (tmp_path / "out").iterdir()}
    assert {"tsne", "tsne_panels", "clusters_image", "clusters_text", "clusters_agreement"} <= names
    assert not (whole / "figures").exists()


def test_a_benchmark_of_your_own_is_shown_by_label_and_its_map_is_kept(call, whole, photos, tmp_path):
    words = (
        "visualize",
        whole,
        "--benchmark",
        photos,
        "--out",
        tmp_path,
        "--keep-map",
        "--show",
        "tsne,confusion",
    )
    done = call(*words)
    assert done.exit_code == 0, done.output
    assert (tmp_path / "confusion_photos.png").is_file()
    kept = (tmp_path / "tsne_map.npz").read_bytes()
    again = call(*words)
    assert "drawn in the map" in again.stderr
    assert (tmp_path / "tsne_map.npz").read_bytes() == kept


def test_several_runs_scale(call, whole, copied, tmp_path):
    metrics = list(read_lines(copied / "scores.jsonl"))
    (copied / "scores.jsonl").write_text("".join(json.dumps({**row, "step": 30}) + "\n" for row in metrics))
    done = call("visualize", whole, copied, "--show", "scaling", "--out", tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert (tmp_path / "out" / "scaling.png").is_file()


def test_weights_in_between_are_drawn(call, copied, tmp_path):
    first = copied / "checkpoints" / "step_5"
    done = call(
        *(
            "visualize",
            copied,
            "--before",
            first,
            "--benchmark",
            "glyphs_digits",
            "--benchmark",
            "glyphs_upper",
        ),
        *("--show", "wise_ft", "--out", tmp_path / "out"),
    )
    assert done.exit_code == 0, done.output
    assert (tmp_path / "out" / "wise_ft.png").is_file()
    assert not any("alpha" in row["metric"] for row in read_lines(copied / "scores.jsonl"))


def test_a_run_with_no_scores_and_a_half_written_line(call, copied):
    (copied / "scores.jsonl").unlink()
    with (copied / "metrics.jsonl").open("a") as file:
        file.write('{"step": 99, "lo')
    done = call("visualize", copied, "--show", "training_curves,score_curves")
    assert done.exit_code == 0
    assert "score_curves is left out: it needs scores" in done.stderr
    assert [path.name for path in (copied / "figures").iterdir()] == ["training_curves.png"]
    done = call("visualize", copied, "--show", "score_curves")
    assert done.exit_code == 4
    assert "nothing could be drawn" in done.stderr


def test_a_run_without_a_checkpoint_has_curves_all_the_same(call, copied):
    shutil.rmtree(copied / "checkpoints")
    done = call("visualize", copied, "--show", "training_curves,similarity")
    assert done.exit_code == 0
    assert "has no checkpoint yet" in done.stderr
    assert (copied / "figures" / "training_curves.png").is_file()


def test_images_that_are_gone_are_left_out_and_counted(call, whole, tmp_path):
    lines = ["filepath\ttitle"]
    for number in range(8):
        if number % 4:
            Image.new("RGB", (40, 40), (30 * number, 90, 9)).save(tmp_path / f"{number}.png")
        lines.append(f"{number}.png\tthing {number}")
    (tmp_path / "pairs.tsv").write_text("\n".join(lines) + "\n")
    done = call("visualize", whole, "--data", "pairs.tsv", "--show", "similarity", "--out", "out")
    assert done.exit_code == 0, done.output
    assert "2 of 8 images cannot be read and are left out" in done.stderr


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("nowhere",), 4, "there is no folder or file nowhere"),
        (("RUN", "--show", "tsnee"), 2, "did you mean 'tsne'"),
        (("RUN", "--show", "tsne", "--set", "tsne.perplexity=0"), 2, "perplexity"),
        (("RUN", "--show", "robustness"), 4, "give --reference TABLE.csv"),
        (("RUN", "--show", "similarity", "--data", "none.tsv"), 4, "none.tsv"),
        (("RUN", "--show", "confusion", "--benchmark", "glyphs_digit"), 2, "did you mean 'glyphs_digits'"),
        ((".",), 4, "is no run"),
    ],
)
def test_what_cannot_be_ends_with_a_line_that_says_why(call, whole, words, code, said):
    done = call("visualize", *(whole if word == "RUN" else word for word in words), "--out", "out")
    assert done.exit_code == code, done.output
    assert said in done.stderr
    assert done.stdout == ""


def test_the_list_of_pictures_needs_no_run(call):
    done = call("visualize", "--show-list")
    assert done.exit_code == 0
    assert "tsne\tt-SNE of image and text features" in done.stdout


def test_a_recipe_draws_while_it_trains_and_trains_the_same(recipe, whole, outcome, tmp_path, heard):
    wanted = "visualize={every: 2, show: [training_curves, {kind: similarity, pairs: 4}, wise_ft], rows: 20}"
    said = heard()
    run = train(recipe(wanted), run=tmp_path / "run", reporter=said).run
    assert [path.name for path in (run / "figures").iterdir()] == ["episode_1"]
    assert {path.name for path in (run / "figures" / "episode_1").iterdir()} == {
        "training_curves.png",
        "similarity.png",
    }
    assert outcome(run) == outcome(whole)
    events = [row for row in read_lines(run / "events.jsonl") if row["event"] == "not_drawn"]
    assert [(row["picture"], row["episode"]) for row in events] == [("wise_ft", 1)]


def test_a_picture_that_breaks_does_not_break_the_run(recipe, tmp_path, heard, monkeypatch):
    def broken(*_args, **_named):
        raise RuntimeError("no ink")

    monkeypatch.setattr(draw_episode, "draw", broken)
    said = heard()
    run = train(
        recipe("visualize={every: 3, show: [training_curves]}"), run=tmp_path / "run", reporter=said
    ).run
    assert json.loads((run / "status.json").read_text())["state"] == "finished"
    assert any("no ink" in warning for warning in said.warnings)
    assert any("no ink" in row.get("reason", "") for row in read_lines(run / "events.jsonl"))
    assert Records.read(run).metrics
