import json

import numpy as np
import pytest
from scipy import stats

from protoclip_cli.core.errors import UsageError
from protoclip_cli.sharing.comparison import compare
from protoclip_cli.sharing.grouping import find_group, group_runs
from protoclip_cli.sharing.numbers import difference
from protoclip_cli.sharing.remarks import remarks
from protoclip_cli.sharing.run_record import labels_of, read_run
from protoclip_cli.store.outcomes import outcomes_file, save_outcomes

CLIP = [0.60, 0.62, 0.58]
PROTO = [0.66, 0.65, 0.64]


@pytest.fixture
def groups_of(tmp_path):
    """`groups_of()` groups the runs in the test's folder."""

    def found():
        paths = sorted(path.parent for path in tmp_path.rglob("recipe.yaml"))
        return group_runs([read_run(*one) for one in zip(paths, labels_of(paths), strict=True)])

    return found


@pytest.fixture
def two(tiny_run, tmp_path, groups_of):
    for seed, (clip, proto) in enumerate(zip(CLIP, PROTO, strict=True)):
        tiny_run(tmp_path / f"a.{seed}", {"digits": clip, "cifar": 0.5}, name="clip", seed=seed)
        tiny_run(
            tmp_path / f"b.{seed}", {"digits": proto, "cifar": 0.7}, name="proto", seed=seed, prototypes=4
        )
    return groups_of()


def test_runs_that_differ_in_seed_and_name_only_are_a_group(two):
    assert [(group.name, len(group.runs), group.seeds) for group in two] == [("clip", 3, 3), ("proto", 3, 3)]


def test_means_intervals_and_paired_differences(two):
    found = compare(two, two[0])
    digits = found.lines[0]
    assert digits.key.benchmark == "digits"
    assert digits.final["clip"].mean == pytest.approx(0.6)
    low, high = stats.t.interval(0.95, 2, 0.6, stats.sem(CLIP))
    assert digits.final["clip"].ci95 == pytest.approx((low, high))
    assert digits.final["clip"].over == "seeds"
    theirs = stats.ttest_rel(PROTO, CLIP)
    assert digits.differences["proto"].p == pytest.approx(theirs.pvalue)
    assert digits.differences["proto"].mean == pytest.approx(0.05)
    assert "clip" not in digits.differences
    assert digits.best == {}


def test_pairs_are_by_seed_and_not_by_order(tiny_run, tmp_path, groups_of):
    for seed, value in ((7, 0.1), (3, 0.3)):
        tiny_run(tmp_path / f"a{seed}", {"digits": value}, seed=seed)
        tiny_run(tmp_path / f"b{9 - seed}", {"digits": value + 0.01 * seed}, seed=seed, k=1)
    tiny_run(tmp_path / "b_alone", {"digits": 0.9}, seed=99, k=1)
    groups = groups_of()
    difference = compare(groups, groups[0]).lines[0].differences[groups[1].name]
    assert (difference.n, difference.mean) == (2, pytest.approx(0.05))
    theirs = stats.ttest_rel([0.17, 0.33], [0.1, 0.3])
    assert difference.p == pytest.approx(theirs.pvalue)


def test_averages_are_over_what_all_runs_with_scores_have(two, tiny_run, tmp_path, groups_of):
    (average,) = compare(two, two[0]).averages
    assert (average.key.benchmark, average.benchmarks) == ("mean of 2", ("digits", "cifar"))
    assert average.final["proto"].by_seed == pytest.approx({"0": 0.68, "1": 0.675, "2": 0.67})
    tiny_run(tmp_path / "c", {}, k=9)
    assert len(compare(groups_of(), None).averages) == 1
    tiny_run(tmp_path / "d", {"digits": 0.1, "food": 0.2}, k=10)
    assert compare(groups_of(), None).averages == ()


def test_copies_of_a_seed_do_not_make_an_interval_narrow(tiny_run, tmp_path, groups_of):
    for name, seed, value in (("a", 0, 0.2), ("b", 0, 0.4), ("c", 1, 0.5)):
        tiny_run(tmp_path / name, {"digits": value}, seed=seed)
    (group,) = groups_of()
    found = compare([group], None)
    assert found.lines[0].final["tiny"].by_seed == pytest.approx({"0": 0.3, "1": 0.5})
    assert any("one seed" in remark for remark in remarks(found))


def test_a_single_run_has_the_interval_over_examples(tiny_run, tmp_path, groups_of):
    tiny_run(tmp_path / "a", {"digits": {1: 0.6, 10: 0.5}})
    line = compare(groups_of(), None).lines[0]
    assert (line.final["a"].ci95, line.final["a"].over) == ((0.1, 0.9), "examples")
    assert (line.best["a"].mean, line.best["a"].ci95) == (0.6, None)


def test_names_are_never_twice(tiny_run, tmp_path, groups_of):
    for place, k in enumerate((1, 1, 2, 2, 3)):
        tiny_run(tmp_path / f"{'xxyyz'[place]}.seed{place}", {"digits": 0.5}, seed=place, k=k)
    assert [group.name for group in groups_of()] == ["x", "y", "z.seed4"]


def test_a_baseline_is_named_by_group_run_or_path(two, tmp_path):
    for name in ("clip", "a.1", f"{tmp_path}/a.2/"):
        assert find_group(two, name).name == "clip"
    with pytest.raises(UsageError, match="no group or run") as caught:
        find_group(two, "clap")
    assert "clip, proto" in str(caught.value.hint)


def test_patterns_keep_scores(two):
    assert [line.key.benchmark for line in compare(two, None, ["*/cifar/top1"]).lines] == ["cifar"]


def test_what_to_know_is_said(two, tiny_run, tmp_path, groups_of):
    assert list(remarks(compare(two, two[0]))) == []
    tiny_run(tmp_path / "new", {}, state="running", k=9)
    tiny_run(tmp_path / "other", {"digits": 0.5}, seed=50, k=10)
    groups = groups_of()
    assert list(remarks(compare(groups, groups[0]))) == [
        "1 run without scores: new",
        "1 run not finished: new",
        "1 group without a seed and a score in common with the baseline: other",
    ]


@pytest.fixture
def pair(tiny_run, tmp_path, groups_of):
    """Two runs of one seed, with the outcomes of 400 digits: the second has 40 more right."""
    for name, right in (("a", 200), ("b", 240)):
        run = tmp_path / name
        tiny_run(
            run, {"digits": right / 400}, name=name, seed=0, **({"prototypes": 4} if name == "b" else {})
        )
        (row,) = map(json.loads, (run / "scores.jsonl").read_text().splitlines())
        keys = ("probe", "benchmark", "split", "metric", "model_hash", "selection", "seed")
        file = outcomes_file(run, [row.get(key) for key in keys])
        save_outcomes(file, (np.arange(400) < right).astype(np.float32))
    return groups_of()


def test_a_single_pair_of_runs_is_compared_by_example(pair):
    (line,) = compare(pair, pair[0]).lines
    found = line.differences[pair[1].name]
    assert (found.mean, found.n, found.over) == (pytest.approx(0.1), 1, "examples")
    assert found.ci95 == pytest.approx((0.0725, 0.13), abs=0.005)
    assert found.p < 0.001
    assert difference(found, line.key) == "+10.0 ± 2.9 (p < 0.001 over examples)"


def test_other_examples_are_not_compared(pair, tmp_path):
    (line,) = compare(pair, pair[0]).lines
    for file in (tmp_path / "a" / "outcomes").iterdir():
        save_outcomes(file, np.ones(7, np.float32))
    (line,) = compare(pair, pair[0]).lines
    assert line.differences[pair[1].name].ci95 is None
