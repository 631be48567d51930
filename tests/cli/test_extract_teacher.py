"""`protoclip extract-teacher` as it is typed."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

LSA = ("--kind", "lsa", "--dim", "5")


@pytest.fixture
def table(desk):  # noqa: ARG001 (the working directory)
    lines = [
        "filepath\ttitle",
        *(f"{row}.png\tdog {row % 7} of cat {row % 5} in {row % 3}" for row in range(40)),
    ]
    Path("pairs.tsv").write_text("\n".join(lines) + "\n")
    return "pairs.tsv"


def test_the_last_line_on_stdout_is_the_bank(call, table):
    done = call("extract-teacher", table, *LSA, "--out", "features/lsa")
    assert done.exit_code == 0, done.stderr
    assert done.stdout == "features/lsa\n"
    assert "captions" in done.stderr
    about = json.loads(Path("features/lsa/bank.json").read_text())
    assert (about["captions"], about["dim"]) == (40, 5)


def test_a_second_time_there_is_nothing_to_do(call, table):
    call("extract-teacher", table, *LSA, "--out", "b")
    before = Path("b/features.npy").stat().st_mtime_ns
    done = call("extract-teacher", table, *LSA, "--out", "b")
    assert (done.exit_code, done.stdout) == (0, "b\n")
    assert "b is finished: 40 captions, width 5; nothing to do" in done.stderr
    assert Path("b/features.npy").stat().st_mtime_ns == before
    done = call("extract-teacher", table, "--kind", "lsa", "--dim", "4", "--out", "b")
    assert done.exit_code == 2
    assert "holds another bank (different: teacher)" in done.stderr


def test_json_is_one_document(call, table):
    done = call("extract-teacher", table, *LSA, "--out", "b", "--dtype", "float16", "--json", "-q")
    found = json.loads(done.stdout)
    assert found.pop("seconds") >= 0
    assert found == {
        "bank": "b", "captions": 40, "dim": 5, "dtype": "float16", "truncated": 0, "unknown": 0
    }  # fmt: skip
    assert done.stderr == ""
    assert np.load("b/features.npy").dtype == np.float16


def test_a_dry_run_writes_nothing(call, table):
    before = sorted(Path().rglob("*"))
    done = call("extract-teacher", table, *LSA, "--out", "b", "--dry-run", "--json")
    plan = json.loads(done.stdout)
    assert (plan["found"], plan["captions"], plan["dim"], plan["bytes"]) == ("new", 40, 5, 40 * 5 * 4)
    assert sorted(Path().rglob("*")) == before
    call("extract-teacher", table, *LSA, "--out", "b")
    done = call("extract-teacher", table, *LSA, "--out", "b", "--dry-run")
    assert "found      finished" in done.stdout


RECIPE = "# Pairs.\npairs: {kind: glyphs, limit: 50}\nteacher: {kind: lsa, dim: 6}\n"


@pytest.mark.parametrize(
    "pairs",
    ["{kind: glyphs, limit: 50}", "glyphs", "train.yaml", "pairs.yaml", "quickstart", "train/quickstart"],
)
def test_pairs_are_a_mapping_a_kind_or_a_recipe(pairs, call, desk):  # noqa: ARG001 (the working directory)
    Path("train.yaml").write_text(RECIPE)
    Path("pairs.yaml").write_text("kind: glyphs\nlimit: 50\n")
    done = call("extract-teacher", pairs, *LSA, "--out", "b", "--limit", "50", "--json", "-q")
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["captions"] == 50


def test_a_recipe_names_the_teacher_and_options_change_it(call, desk):  # noqa: ARG001
    Path("mine.yaml").write_text(RECIPE)
    plain = call("extract-teacher", "mine.yaml", "--recipe", "mine.yaml", "--out", "b", "--dry-run", "--json")
    assert json.loads(plain.stdout)["dim"] == 6
    changed = call(
        "extract-teacher", "glyphs", "--recipe", "mine.yaml", "--dim", "7", "--set", "pairs.limit=30",
        "--out", "b", "--dry-run", "--json",
    )  # fmt: skip
    assert (json.loads(changed.stdout)["dim"], json.loads(changed.stdout)["captions"]) == (7, 30)
    shipped = call("extract-teacher", "glyphs", "--recipe", "roberta", "--out", "b", "--dry-run", "--json")
    assert shipped.exit_code == 0, shipped.stderr
    plan = json.loads(shipped.stdout)
    assert (plan["teacher"], plan["model"], plan["dim"]) == ("huggingface", "roberta-large", 64)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("nowhere.tsv", *LSA, "--out", "b"), 4, "there is no table at nowhere.tsv"),
        (("{kind: glyhps}", *LSA, "--out", "b"), 3, "did you mean 'glyphs'"),
        (("{kind: [", *LSA, "--out", "b"), 2, "is not YAML"),
        (("nowhere.parquet", *LSA, "--out", "b"), 4, "there is no table at nowhere.parquet"),
        (("nowhere", *LSA, "--out", "b"), 2, "no file nowhere and no shipped recipe"),
        (("evaluate/glyphs", *LSA, "--out", "b"), 2, "names no pairs"),
        (("clip_rn50_cc2.5m_1gpu", *LSA, "--out", "b"), 4, "there is no table at"),
        (("nothing.yaml", *LSA, "--out", "b"), 2, "nothing.yaml"),
        (("pairs.tsv", "--kind", "lsaa", "--out", "b"), 3, "did you mean 'lsa'"),
        (("pairs.tsv", "--kind", "lsa", "--model", "x", "--out", "b"), 3, "teacher.name"),
        (("pairs.tsv", "--kind", "lsa", "--precision", "bf16", "--out", "b"), 3, "teacher.precision"),
        (("pairs.tsv", *LSA, "--dtype", "int8", "--out", "b"), 3, "dtype"),
        (("pairs.tsv", "--kind", "lsa", "--dim", "4000", "--out", "b"), 3, "too few"),
        (("pairs.tsv", "--kind", "static_vectors", "--model", "no.txt", "--out", "b"), 4, "no.txt"),
        (("pairs.tsv", *LSA), 2, "--out"),
    ],
)
@pytest.mark.usefixtures("table")
def test_what_cannot_work_is_told_in_a_line_or_two(arguments, code, words, call):
    done = call("extract-teacher", *arguments)
    assert done.exit_code == code, done.stderr
    assert done.stdout == ""
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_without_a_choice_the_teacher_is_the_papers(call, table):
    plan = json.loads(call("extract-teacher", table, "--out", "b", "--dry-run", "--json").stdout)
    assert (plan["teacher"], plan["model"], plan["dim"]) == ("huggingface", "roberta-large", 64)


def test_a_missing_library_ends_with_5_and_the_line_to_type(call, table, monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    done = call("extract-teacher", table, "--model", "roberta-large", "--out", "b")
    assert done.exit_code == 5
    assert done.stderr.splitlines()[-1] == "hint: pip install 'protoclip[teachers]'"


def test_a_transformer_from_a_folder(call, table, transformer, tmp_path):
    transformer(tmp_path / "roberta", ["dog 1 of cat 2 in 3"])
    options = ("--dim", "8", "--batch", "4", "--precision", "bf16", "--json")
    done = call("extract-teacher", table, "--model", tmp_path / "roberta", "--out", "b", *options)
    assert done.exit_code == 0, done.stderr
    assert json.loads(done.stdout)["dim"] == 8
    about = json.loads(Path("b/bank.json").read_text())
    assert about["teacher"]["precision"] == "bf16"
    assert about["teacher"]["batch"] == 4
    assert about["pca"] == {"from": 24, "fitted_on": 40}
