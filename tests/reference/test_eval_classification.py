"""Zero-shot classification against ProtoCLIP, ITRA, clip-rocket, ELEVATER and CLIP_benchmark.

Known differences, each with its own assertion:
* ITRA averages raw prompts: `average="raw"`.
* Classes without an image: CLIP_benchmark drops them, clip-rocket becomes NaN if one was predicted, ELEVATER
  makes them impossible to predict.
* Several names of a class: clip-rocket averages the prompts of all, ELEVATER and CLIP_benchmark
  take the first.
* ELEVATER and clip-rocket agree on ROC AUC; the score of one class alone gives another number.
"""

import math

import numpy as np
import pytest

from protoclip_cli.metrics.average_precision import class_average_precisions, mean_average_precision
from protoclip_cli.metrics.choice import choice_accuracy
from protoclip_cli.metrics.classification import (
    class_directions,
    class_mean,
    mean_per_class_recall,
    roc_auc,
    zero_shot_classifier,
)
from protoclip_cli.metrics.ranking import ranks, unit, within
from protoclip_cli.metrics.retrieval import retrieval_ranks


def arrays_of(paths):
    for path in paths:
        with np.load(path, allow_pickle=False) as arrays:
            yield dict(arrays)


def named(arrays, name):
    return dict(zip(arrays[f"{name}_keys"].tolist(), arrays[name].tolist(), strict=True))


def softmax(logits):
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


def test_prompts_become_a_classifier(golden):
    for arrays in arrays_of(golden("eval_zeroshot_*.npz")):
        classifier = zero_shot_classifier(arrays["text_embeddings"])
        raw = zero_shot_classifier(arrays["text_embeddings"], "raw")
        assert classifier == pytest.approx(arrays["ref_classifier"].T, abs=1e-5)
        assert raw == pytest.approx(arrays["ref_classifier_itra"].T, abs=1e-5)
        assert np.abs(raw - classifier).max() > 1e-3
        logits = 100 * unit(arrays["image_features"]) @ classifier.T
        assert logits == pytest.approx(arrays["ref_logits"], abs=1e-3)
        assert (logits.argmax(axis=1) == arrays["ref_predictions"]).all()


def test_accuracies(golden):
    for arrays in arrays_of(golden("eval_zeroshot_*.npz")):
        labels = arrays["labels"]

        def found(average, arrays=arrays, labels=labels):
            classifier = zero_shot_classifier(arrays["text_embeddings"], average)
            return ranks(arrays["image_features"], classifier, labels)

        top1, top5 = (within(found("normalized"), k) for k in (1, 5))
        assert 100 * top1 == pytest.approx(float(arrays["ref_top1_pct"]), abs=1e-3)
        assert 100 * top5 == pytest.approx(float(arrays["ref_top5_pct"]), abs=1e-3)
        assert top1 == pytest.approx(float(arrays["ref_clipbench_acc1"]), abs=1e-5)
        assert top5 == pytest.approx(float(arrays["ref_clipbench_acc5"]), abs=1e-5)
        assert top1 == pytest.approx(float(arrays["ref_elevater_accuracy"]), abs=1e-5)
        assert 100 * within(found("raw"), 1) == pytest.approx(float(arrays["ref_itra_top1_pct"]), abs=1e-3)
        dropped = mean_per_class_recall(found("normalized") == 0, labels)
        assert dropped == pytest.approx(float(arrays["ref_clipbench_mean_per_class_recall"]), abs=1e-5)


def test_three_ways_with_classes_without_an_image(golden):
    differ, undefined = 0, 0
    for arrays in arrays_of(golden("eval_zeroshot_*.npz")):
        scores = unit(arrays["image_features"]) @ zero_shot_classifier(arrays["text_embeddings"]).T
        drop, rocket, elevater = (
            class_mean(scores, arrays["labels"], absent) for absent in ("drop", "undefined", "delete")
        )
        assert drop == pytest.approx(float(arrays["ref_clipbench_mean_per_class_recall"]), abs=1e-5)
        assert elevater == pytest.approx(float(arrays["ref_elevater_balanced_accuracy"]), abs=1e-5)
        assert 100 * rocket == pytest.approx(
            float(arrays["ref_rocket_mean_per_class_pct"]), abs=1e-3, nan_ok=True
        )
        differ += elevater != drop
        undefined += math.isnan(rocket)
    assert differ > 0
    assert undefined > 0


def test_all_names_of_a_class_or_the_first(golden):
    for arrays in arrays_of(golden("eval_synonyms_*.npz")):
        embeddings, owner = arrays["embeddings"], arrays["owner"]
        templates = embeddings.shape[1]
        prompts = embeddings.reshape(-1, embeddings.shape[2])
        every = class_directions(prompts, np.repeat(owner, templates))
        _, first = np.unique(owner, return_index=True)
        assert every == pytest.approx(arrays["formula_weights_all_synonyms"], abs=1e-5)
        assert zero_shot_classifier(embeddings[first]) == pytest.approx(
            arrays["formula_weights_first_only"], abs=1e-5
        )


def test_clip_benchmark_classifies(golden):
    for arrays in arrays_of(golden("eval_clipbench_*.npz")):
        prompts, images, labels = (arrays[name] for name in ("text_embeddings", "image_features", "labels"))
        classifier = zero_shot_classifier(prompts)
        assert measured(ranks(images, classifier, labels), labels) == pytest.approx(
            named(arrays, "ref_classification"), abs=1e-5
        )
        own = np.arange(prompts.shape[1]) < 1 + np.arange(len(prompts))[:, None] % 3
        ragged = class_directions(prompts[own], np.nonzero(own)[0])
        assert measured(ranks(images, ragged, labels), labels) == pytest.approx(
            named(arrays, "ref_ragged_template"), abs=1e-5
        )
        several = mean_average_precision(unit(images) @ classifier.T, arrays["multilabels"], "clip_benchmark")
        assert several == pytest.approx(float(arrays["ref_multilabel_map"]), abs=1e-5)


def measured(found, labels):
    return {
        "acc1": within(found, 1),
        "acc5": within(found, 5),
        "mean_per_class_recall": mean_per_class_recall(found == 0, labels),
    }


def test_clip_benchmark_retrieves_and_selects(golden):
    for arrays in arrays_of(golden("eval_clipbench_*.npz")):
        found = retrieval_ranks(
            arrays["ret_image_features"], arrays["ret_text_features"], arrays["ret_text_to_image"]
        )
        ours = {f"text_retrieval_recall@{k}": within(found.image_to_text, k) for k in (1, 5, 10)}
        ours |= {f"image_retrieval_recall@{k}": within(found.text_to_image, k) for k in (1, 5, 10)}
        assert ours == pytest.approx(named(arrays, "ref_retrieval"), abs=1e-5)
        for name, count in (("ref_selection_2img", 2), ("ref_selection_1img", 1)):
            chosen = choice_accuracy(arrays["sel_image_features"][:, :count], arrays["sel_text_features"])
            keys = arrays["ref_selection_keys"].tolist()
            expected = dict(zip(keys, arrays[name].tolist(), strict=True))
            ours = {"image_acc": chosen.image, "text_acc": chosen.text, "acc": chosen.both}
            assert ours == pytest.approx(expected, abs=1e-5)


def test_area_under_the_roc_curve(golden):
    for arrays in arrays_of(golden("eval_rocauc_*.npz")):
        logits, positive = arrays["logits"].astype(np.float64), arrays["labels"] == 1
        difference = roc_auc(logits[:, 1] - logits[:, 0], positive)
        assert 100 * difference == pytest.approx(float(arrays["ref_rocket_pct"]), abs=1e-3)
        assert difference == pytest.approx(float(arrays["ref_elevater_on_softmax"]), abs=1e-5)
        trap = roc_auc(logits[:, 1], positive)
        assert trap == pytest.approx(float(arrays["ref_elevater_on_logit1"]), abs=1e-5)
        assert abs(trap - difference) > 1e-3


def test_mean_average_precision_in_four_conventions(golden):
    differ = 0
    for arrays in arrays_of(golden("eval_map_*.npz")):
        scores, targets = arrays["scores"], arrays["targets"]
        assert softmax(scores) == pytest.approx(arrays["softmax"], abs=1e-6)
        for name, values in (("scores", scores), ("softmax", arrays["softmax"])):
            elevater = mean_average_precision(values, targets, "elevater11")
            assert elevater == pytest.approx(float(arrays[f"ref_elevater_map11_on_{name}"]), abs=1e-5)
        devkit = class_average_precisions(scores, targets, "voc07")
        assert devkit == pytest.approx(arrays["formula_devkit_ap11_per_class"], abs=1e-5, nan_ok=True)
        per_class = class_average_precisions(scores, targets, "clip_benchmark")
        assert per_class == pytest.approx(arrays["ref_clipbench_ap_per_class"], abs=1e-5)
        assert mean_average_precision(scores, targets, "clip_benchmark") == pytest.approx(
            float(arrays["ref_clipbench_mean_average_precision"]), abs=1e-5
        )
        full = class_average_precisions(scores, targets, "full")
        assert full == pytest.approx(arrays["ref_sklearn_ap_per_class"], abs=1e-5, nan_ok=True)
        differ += np.nanmean(devkit) != mean_average_precision(scores, targets, "elevater11")
    assert differ > 0
