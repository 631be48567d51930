import json
from dataclasses import replace

import numpy as np
import pytest

from protoclip_cli.core.errors import DataError
from protoclip_cli.data.benchmarks.base import Labelled
from protoclip_cli.evaluation.probes.feature_statistics import FeatureStatisticsSpec
from protoclip_cli.evaluation.probes.zero_shot import ZeroShotSpec
from protoclip_cli.metrics.feature_statistics import modality_gap, self_similarity
from protoclip_cli.metrics.ranking import unit


def by_metric(probe, benchmark, embedder):
    return {score.metric: score for score in probe.run(benchmark, embedder, 0)}


def test_statistics_take_the_first_caption_of_every_image(benchmark, embedder):
    scores = by_metric(FeatureStatisticsSpec(), benchmark, embedder)
    pairs = benchmark.pairs
    images, texts = unit(embedder.images(pairs.images, pairs.rows)), unit(embedder.texts(pairs.texts[:60]))
    assert scores["modality_gap"].value == pytest.approx(modality_gap(images, texts))
    assert scores["image_self_similarity"].value == pytest.approx(self_similarity(images))
    assert [name for name, score in scores.items() if not score.higher_is_better] == [
        "alignment",
        "image_uniformity",
        "text_uniformity",
    ]
    for score in scores.values():
        assert score.ci95[0] < score.value < score.ci95[1]
        assert score.n == 60


def test_statistics_of_a_folder_take_the_prompt_of_the_class(benchmark, embedder):
    scores = by_metric(FeatureStatisticsSpec(), replace(benchmark, pairs=None), embedder)
    prompts = unit(embedder.texts([f"a photo of a {name}." for name in benchmark.classes]))
    images = unit(embedder.images(benchmark.test.images, benchmark.test.rows))
    expected = modality_gap(images, prompts[benchmark.test.labels])
    assert scores["modality_gap"].value == pytest.approx(expected)


def test_the_original_self_similarity_has_a_name_of_its_own(benchmark, embedder):
    scores = by_metric(FeatureStatisticsSpec(self_similarity="protoclip"), benchmark, embedder)
    assert "image_self_similarity" not in scores
    usual = by_metric(FeatureStatisticsSpec(), benchmark, embedder)["image_self_similarity"].value
    assert scores["image_self_similarity_protoclip"].value > usual


def test_raw_averages_are_another_classifier(benchmark, embedder):
    usual = by_metric(ZeroShotSpec(), benchmark, embedder)
    raw = by_metric(ZeroShotSpec(average="raw"), benchmark, embedder)
    assert set(raw) == {f"{metric}@raw" for metric in usual}


def test_synonyms_are_all_put_into_prompts_if_asked(benchmark):
    more = replace(benchmark, synonyms=(("ant", "emmet"), *((name,) for name in benchmark.classes[1:])))
    assert ZeroShotSpec(templates=["{}"])._prompts(more).texts == benchmark.classes
    every = ZeroShotSpec(templates=["{}"], synonyms="all")._prompts(more).texts
    assert every == (
        "ant",
        "emmet",
        *benchmark.classes[1:],
    )


def test_prompts_and_names_come_from_files(benchmark, embedder, tmp_path):
    path = tmp_path / "prompts.json"
    several = {name: [f"{name} {n}" for n in range(1 + k % 3)] for k, name in enumerate(benchmark.classes)}
    path.write_text(json.dumps(several))
    scores = by_metric(ZeroShotSpec(prompts=path), benchmark, embedder)
    assert scores["top1"].prompts_hash != by_metric(ZeroShotSpec(), benchmark, embedder)["top1"].prompts_hash
    names = tmp_path / "names.txt"
    names.write_text("\n".join("abcdef"))
    prompts = ZeroShotSpec(names=names, templates=["one {}"])._prompts(benchmark)
    assert prompts.texts == tuple(f"one {name}" for name in "abcdef")
    names.write_text("a\nb\n")
    with pytest.raises(DataError, match="names 2 classes, but made has 6"):
        ZeroShotSpec(names=names).run(benchmark, embedder, 0)


def test_a_wrong_number_of_classes_is_refused(benchmark, embedder):
    with pytest.raises(DataError, match="has labels of 6 classes, but 5 class names"):
        ZeroShotSpec().run(replace(benchmark, classes=benchmark.classes[:5]), embedder, 0)


def test_a_mixture_has_a_score_for_every_share(benchmark, embedder):
    scores = by_metric(ZeroShotSpec(mix_head="h"), benchmark, embedder)
    assert scores["top1"].value == by_metric(ZeroShotSpec(), benchmark, embedder)["top1"].value
    shares = [f"top1@z={tenth / 10:g}" for tenth in range(10)]
    assert [metric for metric in scores if metric.startswith("top1@")] == shares
    only_head = by_metric(ZeroShotSpec(), benchmark, embedder.using("h"))["top1"].value
    assert scores["top1@z=0"].value == only_head
    assert len({scores[share].value for share in shares}) > 1


def test_logits_are_what_is_judged(benchmark, embedder):
    logits = ZeroShotSpec().logits(benchmark, embedder)
    assert np.abs(logits).max() <= 100
    accuracy = (logits.argmax(axis=1) == benchmark.test.labels).mean()
    assert accuracy == by_metric(ZeroShotSpec(), benchmark, embedder)["top1"].value


def test_several_classes_and_areas_under_the_curve(benchmark, embedder):
    targets = np.eye(6, dtype=np.int8)[benchmark.test.labels]
    test = Labelled(benchmark.test.images, benchmark.test.rows, benchmark.test.labels, targets)
    scores = by_metric(ZeroShotSpec(), replace(benchmark, test=test, metric="map11"), embedder)
    assert set(scores) == {"map", "map11", "map11_elevater"}
    keep = benchmark.test.labels < 2
    two = Labelled(benchmark.test.images, benchmark.test.rows[keep], benchmark.test.labels[keep])
    binary = replace(benchmark, classes=benchmark.classes[:2], test=two, metric="roc_auc")
    assert set(by_metric(ZeroShotSpec(), binary, embedder)) == {"top1", "mean_per_class", "roc_auc"}
