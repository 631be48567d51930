from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError

from protoclip_cli.core.errors import DataError, ProtoclipError
from protoclip_cli.data.benchmarks.base import Labelled
from protoclip_cli.evaluation.probes.few_shot import FewShotSpec
from protoclip_cli.evaluation.probes.fine_tune import FineTuneSpec
from protoclip_cli.evaluation.probes.knn import KnnSpec
from protoclip_cli.evaluation.probes.linear_probe import LinearProbeSpec

SGD = {"kind": "sgd", "lr": 0.1}


def by_metric(probe, benchmark, embedder, notes=None):
    note = print if notes is None else notes.append
    return {score.metric: score for score in probe.run(benchmark, embedder, 0, note)}


def shuffled(split):
    return replace(split, labels=np.random.default_rng(0).permutation(split.labels))


def several(split, classes=6):
    """Each image shows its class, and some of them the next one."""
    targets = np.eye(classes, dtype=np.int8)[split.labels]
    targets[::5] |= np.roll(targets[::5], 1, axis=1)
    targets[7, targets[7] == 0] = -1
    return Labelled(split.images, split.rows, np.full(len(split.rows), -1), targets)


@pytest.fixture
def multi_label(benchmark):
    return replace(benchmark, train=several(benchmark.train), test=several(benchmark.test), metric="map11")


@pytest.mark.parametrize(
    ("probe", "metric"),
    [
        (KnnSpec(), "top1"),
        (LinearProbeSpec(), "top1"),
        (LinearProbeSpec(method="sklearn"), "top1@sklearn_protoclip"),
        (LinearProbeSpec(method="sgd"), "top1@sgd_protoclip"),
        (LinearProbeSpec(method="adamw"), "top1@adamw"),
        (FewShotSpec(seeds=[0]), "top1@5shot"),
        (FewShotSpec(shots=[-1], search=False), "top1@full@unsearched"),
        (FewShotSpec(seeds=[0], start="text"), "top1@5shot@text"),
        (FineTuneSpec(optimizer=SGD, epochs=4), "top1"),
        (FineTuneSpec(optimizer=SGD, epochs=4, learns="head", start="text"), "top1@head_text"),
        (FineTuneSpec(optimizer=SGD, epochs=20, shots=5), "top1@5shot"),
    ],
)
def test_it_learns_what_is_true(benchmark, embedder, probe, metric):
    assert by_metric(probe, benchmark, embedder)[metric].value > 0.85


@pytest.mark.parametrize("probe", [KnnSpec(), FineTuneSpec(optimizer=SGD, epochs=2)])
def test_it_learns_nothing_from_nonsense(benchmark, embedder, probe):
    nonsense = replace(benchmark, train=shuffled(benchmark.train))
    assert by_metric(probe, nonsense, embedder)["top1"].value < 0.6


@pytest.mark.parametrize(
    ("probe", "suffix"),
    [
        (KnnSpec(), ""),
        (LinearProbeSpec(), ""),
        (LinearProbeSpec(method="sgd"), "@sgd_protoclip"),
        (FewShotSpec(seeds=[0], search=False), "@5shot@unsearched"),
        (FineTuneSpec(optimizer=SGD, epochs=10), ""),
    ],
)
def test_images_of_several_classes_are_ranked_for_each(multi_label, embedder, probe, suffix):
    scores = by_metric(probe, multi_label, embedder)
    for metric in ("map", "map11", "map11_elevater"):
        assert scores[metric + suffix].value > 0.7


def test_scikit_learn_tells_one_class_only(multi_label, embedder):
    with pytest.raises(DataError, match="cannot tell several classes"):
        LinearProbeSpec(method="sklearn").run(multi_label, embedder, 0)


@pytest.mark.parametrize(
    ("probe", "selection"),
    [
        (LinearProbeSpec(), "validation"),
        (LinearProbeSpec(select_on="test"), "test"),
        (LinearProbeSpec(method="sklearn"), "none"),
        (LinearProbeSpec(method="sgd", original="itra", select_on="test"), "test"),
        (FewShotSpec(seeds=[0], search=False), "none"),
        (FineTuneSpec(epochs=1, select_on="test"), "test"),
    ],
)
def test_a_score_says_on_what_its_settings_were_chosen(benchmark, embedder, probe, selection):
    assert probe.run(benchmark, embedder, 0)[0].selection == selection


def test_the_last_epoch_is_reported_beside_the_chosen_one(benchmark, embedder):
    probe = LinearProbeSpec(method="sgd", original="protoclip", select_on="test")
    scores = by_metric(probe, benchmark, embedder)
    assert scores["top1@sgd_protoclip"].value >= scores["top1_last@sgd_protoclip"].value
    assert scores["top1_last@sgd_protoclip"].selection == "none"


def test_the_official_validation_split_is_chosen_on_and_then_learned_from(benchmark, embedder):
    seen = benchmark.train.labels < 3
    train, val = (
        Labelled(benchmark.train.images, benchmark.train.rows[part], benchmark.train.labels[part])
        for part in (seen, ~seen)
    )
    alone = by_metric(LinearProbeSpec(), replace(benchmark, train=train), embedder)["top1"].value
    both = by_metric(LinearProbeSpec(), replace(benchmark, train=train, val=val), embedder)["top1"].value
    assert alone <= 0.5
    assert both > 0.9


def test_the_backbone_has_features_of_its_own(benchmark, embedder):
    usual = by_metric(KnnSpec(), benchmark, embedder)
    backbone = by_metric(KnnSpec(features="backbone"), benchmark, embedder)
    assert set(backbone) == {"top1@backbone", "mean_per_class@backbone"}
    assert backbone["top1@backbone"].value < usual["top1"].value


def test_few_shots_have_a_score_for_each_seed_and_their_mean(benchmark, embedder):
    notes = []
    scores = by_metric(FewShotSpec(shots=[5, 100], search=False), benchmark, embedder, notes)
    each = [scores[f"top1@5shot_seed{seed}@unsearched"].value for seed in (0, 1, 2)]
    assert scores["top1@5shot@unsearched"].value == pytest.approx(np.mean(each))
    low, high = scores["top1@5shot@unsearched"].ci95
    assert low < min(each) <= max(each) <= high
    assert notes == ["few_shot: 6 classes have fewer than 100 training images"] * 3


def test_all_neighbours_vote_where_there_are_few(benchmark, embedder):
    few = replace(benchmark.train, rows=benchmark.train.rows[:12], labels=benchmark.train.labels[:12])
    notes = []
    by_metric(KnnSpec(), replace(benchmark, train=few), embedder, notes)
    assert notes == ["knn: all 12 training images vote, because there are no 20"]


def test_fine_tuning_changes_no_model(benchmark, embedder):
    before = embedder.images(benchmark.test.images, benchmark.test.rows)
    first = FineTuneSpec(epochs=2).run(benchmark, embedder, 0)
    assert np.array_equal(before, embedder.images(benchmark.test.images, benchmark.test.rows))
    again = FineTuneSpec(epochs=2).run(benchmark, embedder, 0)
    assert [score.value for score in first] == [score.value for score in again]


def test_a_rate_that_is_too_high_ends_with_a_reason(benchmark, embedder):
    probe = FineTuneSpec(optimizer={"kind": "sgd", "lr": 1e30}, schedule={"kind": "constant"}, epochs=3)
    with pytest.raises(ProtoclipError, match="not finite"):
        probe.run(benchmark, embedder, 0)


def test_a_search_of_fine_tuning_tries_and_takes_the_best(benchmark, embedder, monkeypatch):
    from protoclip_cli.evaluation.probes import fine_tune

    asked = []

    def search(rates, score, decays):
        tries = [(0, 0), (5, 0)]
        asked.append((rates, decays))
        values = score(tries)
        assert values[1] > values[0]
        return tries[1], values[1]

    monkeypatch.setattr(fine_tune, "search", search)
    few = Labelled(benchmark.train.images, benchmark.train.rows[:60], benchmark.train.labels[:60])
    probe = FineTuneSpec(optimizer=SGD, search=True, epochs=10, schedule={"kind": "constant"})
    scores = by_metric(probe, replace(benchmark, train=few), embedder)
    assert asked == [(6, 97)]
    assert scores["top1"].value > 0.8
    assert scores["top1"].selection == "validation"


def test_fine_tuning_refuses_a_rate_for_each_layer():
    with pytest.raises(ValidationError, match="layer_decay is for training"):
        FineTuneSpec(optimizer={"kind": "adamw", "layer_decay": {"image": 0.5}})
