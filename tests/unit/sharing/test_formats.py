import csv
import io
import json

import pytest

from protoclip_cli.sharing.comparison import compare
from protoclip_cli.sharing.formats import as_csv, as_json, as_latex, as_markdown
from protoclip_cli.sharing.grouping import group_runs
from protoclip_cli.sharing.recipe_difference import differing
from protoclip_cli.sharing.run_record import read_run
from protoclip_cli.sharing.tables import tables


@pytest.fixture
def found(tiny_run, tmp_path):
    runs = []
    for k, name in ((1, "base"), (2, "a|b_c <i> 5 % & \\x")):
        for seed in range(2):
            path = tiny_run(
                tmp_path / f"{k}.{seed}", {"digits": 0.5 + k * seed / 100}, name=name, seed=seed, k=k
            )
            runs.append(read_run(path, path.name))
    groups = group_runs(runs)
    return compare(groups, groups[0])


def test_csv_has_fractions_and_a_line_for_each_group(found):
    lines = list(csv.DictReader(io.StringIO(as_csv(found))))
    assert [line["group"] for line in lines] == ["base", "a|b_c <i> 5 % & \\x"]
    assert float(lines[0]["final"]) == 0.505
    assert (lines[0]["difference"], lines[1]["pairs"], lines[0]["interval_over"]) == ("", "2", "seeds")
    assert float(lines[1]["difference"]) == pytest.approx(0.005)


def test_json_has_everything_and_no_nan(found):
    document = json.loads(as_json(found), parse_constant=pytest.fail)
    assert document["baseline"] == "base"
    assert [group["runs"] for group in document["groups"]] == [["1.0", "1.1"], ["2.0", "2.1"]]
    assert document["scores"][0]["final"]["base"]["by_seed"] == {"0": 0.5, "1": 0.51}
    assert document["recipe_differences"] == {"k": {"base": "1", "a|b_c <i> 5 % & \\x": "2"}}
    assert document["runs"][0]["cost"]["peak_memory_bytes"] == 2**30


def test_markdown_and_latex_show_names_as_they_are(found):
    shown = tables(found)
    markdown = as_markdown(shown)
    assert r"a\|b\_c &lt;i> 5 % &amp; \\x (2 seeds)" in markdown
    assert "| zero\\_shot | digits | top1 | 50.5 ± 6.4 | 51.0 ± 12.7 | +0.5 ± 6.4 (p 0.500) |" in markdown
    rows = [line for line in markdown.splitlines() if line.startswith("|")]
    bars = {line.replace("\\|", "").count("|") for line in rows[:3]}
    assert len(bars) == 1
    latex = as_latex(shown)
    assert r"a|b\_c \textless{}i\textgreater{} 5 \% \& \textbackslash{}x (2 seeds)" in latex
    assert r"50.5 $\pm$ 6.4" in latex


def test_many_groups_become_rows(tiny_run, tmp_path):
    runs = [read_run(tiny_run(tmp_path / f"r{k}", {"digits": k / 10}, k=k), f"r{k}") for k in range(7)]
    shown = {table.title: table for table in tables(compare(group_runs(runs), None))}
    assert shown["Scores"].columns == ("group", "zero_shot digits top1")
    assert [row[0].text for row in shown["Scores"].rows] == [f"r{k}" for k in range(7)]
    assert shown["Recipe differences"].columns == ("group", "k")


def test_losses_and_statistics_of_features_are_no_percents(tiny_run, tmp_path):
    run = read_run(tiny_run(tmp_path / "a", {"digits": 1.5}, metric="median_rank"), "a")
    (scores, *_) = tables(compare(group_runs([run]), None))
    assert scores.rows[0][-1].text == "1.500"


def test_a_part_that_is_missing_is_one_difference():
    a, b = {"objectives": {"clip": {"w": 1}}}, {"objectives": {"clip": {"w": 1}, "proto": {"w": 2}}}
    assert differing([a, b]) == {"objectives.proto": [None, "{w: 2}"]}
    assert differing([{"x": 1, "seed": 1, "name": "a"}, {"x": 1.0, "seed": 2}]) == {"x": ["1", "1.0"]}
