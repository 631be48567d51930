"""ELEVATER's few training images and its search, exactly; WiSE-FT against ITRA.

Known differences:
* While every weight decay of a rate has failed, ELEVATER tries the first of the grid again in every round.
* ITRA interpolates whole numbers too and cuts what follows the point (15.5 becomes 15). Ours are
  those of the fine-tuned model.
"""

import json

import numpy as np
import pytest
import torch

from protoclip_cli.evaluation.decay_search import search
from protoclip_cli.evaluation.few_shot_sample import few_shot, part_for_validation
from protoclip_cli.evaluation.wise_ft import interpolate


@pytest.mark.parametrize("kind", ["multiclass", "multilabel"])
def test_the_same_images_are_drawn_and_held_out(golden, kind):
    for path in golden("eval_fewshot_*.json"):
        made = json.loads(path.read_text())
        labels = [[own] if isinstance(own, int) else own for own in made[kind]]
        for name in [f"ref_{kind}_k{shots}_s{seed}" for shots in (5, 20) for seed in (0, 1, 2)]:
            shots, seed = (int(part[1:]) for part in name.split("_")[-2:])
            drawn = few_shot(labels, made["num_classes"], shots, seed)
            assert drawn == made[name]
            fit, held = part_for_validation([labels[p] for p in drawn], made["num_classes"])
            assert fit == made[f"{name}_train_positions"]
            assert held == made[f"{name}_val_positions"]


def test_the_same_settings_are_tried_and_chosen(golden):
    for path in golden("eval_sweep_*.npz"):
        with np.load(path, allow_pickle=False) as arrays:
            made = dict(arrays)
        tried = {rate: [] for rate in range(len(made["lr_grid"]))}

        def score(tries, made=made, tried=tried):
            for rate, decay in tries:
                tried[rate].append((rate, decay))
            return [float(made["score_table"][one]) for one in tries]

        (rate, decay), _ = search(len(made["lr_grid"]), score, len(made["wd_grid"]))
        one_by_one = [one for tries in tried.values() for one in tries]
        assert one_by_one == list(dict.fromkeys(tuple(visit) for visit in made["ref_visits"].tolist()))
        assert made["lr_grid"][rate] == pytest.approx(float(made["ref_best_lr"]))
        assert made["wd_grid"][decay] == pytest.approx(float(made["ref_best_wd"]))


def test_weights_between_two_models(golden):
    for path in golden("eval_wiseft_*.npz"):
        with np.load(path, allow_pickle=False) as arrays:
            made = {name: torch.as_tensor(arrays[name]) for name in arrays}
        before, after = (
            {name.partition("/")[2]: value for name, value in made.items() if name.startswith(side)}
            for side in ("theta0/", "theta1/")
        )
        for alpha in made["alphas"].tolist():
            mixed = interpolate(before, after, alpha)
            for name, ours in mixed.items():
                theirs = made[f"ref/{alpha}/{name}"]
                if theirs.is_floating_point():
                    assert torch.allclose(ours, theirs, atol=1e-6, rtol=0)
                    continue
                assert ours == after[name]
                assert theirs == int((1 - alpha) * before[name] + alpha * after[name])
        assert all(torch.equal(mixed[name], after[name]) for name in after)
