import json

import pytest

from protoclip_cli.sharing.run_record import read_run
from protoclip_cli.sharing.score_series import ScoreKey
from protoclip_cli.sharing.text_files import last_row, read_rows, read_sample


def test_a_run_is_read(tiny_run, tmp_path):
    run = read_run(tiny_run(tmp_path / "a", {"digits": {5: 0.5, 10: 0.4}}, seed=3), "a")
    assert (run.seed, run.state, run.problems) == (3, "finished", ())
    series = run.scores[ScoreKey("zero_shot", "digits", "test", "top1", "none")]
    assert (series.final, series.last_step, series.best, series.best_step) == (0.4, 10, 0.5, 5)
    assert series.ci95 == (0.1, 0.9)
    assert (run.cost.samples, run.cost.samples_per_second) == (80, 20.0)
    assert run.cost.hours == pytest.approx(4 / 3600)
    assert run.cost.peak_memory_bytes == 2**30


def test_of_a_repeated_score_the_last_counts_and_seeds_of_evaluation_are_averaged(tiny_run, tmp_path):
    path = tiny_run(tmp_path / "a", {"digits": 0.1})
    row = json.loads((path / "scores.jsonl").read_text())
    with (path / "scores.jsonl").open("a") as file:
        for change in ({"value": 0.2}, {"value": 0.6, "seed": 1}):
            file.write(json.dumps(row | change) + "\n")
    (series,) = read_run(path, "a").scores.values()
    assert series.final == pytest.approx(0.4)
    assert series.ci95 is None


def test_a_half_written_last_line_is_no_problem_and_others_are_counted(tiny_run, tmp_path):
    path = tiny_run(tmp_path / "a", {"digits": 0.1})
    with (path / "scores.jsonl").open("a") as file:
        file.write('{"v": 1, "prob')
    assert read_run(path, "a").problems == ()
    with (path / "scores.jsonl").open("a") as file:
        file.write('\n[1]\n{"v": 1, "value": NaN}\n{"v": 2, "value": 0.5}\n\xff\n')
    problems = read_run(path, "a").problems
    assert problems == (
        "scores.jsonl: 3 lines are not JSON",
        "scores.jsonl: 2 rows are no scores or hold no finite value",
    )
    assert len(read_run(path, "a").scores) == 1


@pytest.mark.parametrize("text", ["", "{", "- 1\n", "a: [", "\x00", "!!python/object:os.system {}"])
def test_a_recipe_that_cannot_be_read_is_a_problem_and_no_end(tiny_run, tmp_path, text):
    path = tiny_run(tmp_path / "a", {"digits": 0.1})
    (path / "recipe.yaml").write_text(text)
    (path / "status.json").write_text(text)
    run = read_run(path, "a")
    assert (run.recipe, run.seed, run.state, len(run.problems)) == ({}, None, "unknown", 2)
    assert run.cost.samples is None


def test_files_that_are_missing_are_empty(tmp_path):
    (tmp_path / "recipe.yaml").write_text("seed: 1\n")
    run = read_run(tmp_path, "a")
    assert (run.scores, run.status, run.problems, run.cost.hours) == ({}, {}, (), None)


def test_the_last_row_is_the_last_whole_one(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1}\n{"step": 2}\n{"st')
    assert last_row(path) == {"step": 2}
    assert last_row(tmp_path / "none") == {}


def test_a_large_file_is_sampled_evenly(tmp_path, monkeypatch):
    monkeypatch.setattr("protoclip_cli.sharing.text_files._READ_WHOLE", 100)
    path = tmp_path / "metrics.jsonl"
    path.write_text("".join(f'{{"step": {step}}}\n' for step in range(1, 1001)))
    steps = [row["step"] for row in read_sample(path, 10).rows]
    assert steps[0] == 1
    assert steps == sorted(set(steps))
    assert len(steps) == 10
    assert steps[-1] > 900
    assert len(read_rows(path).rows) == 1000
