"""Schedules against ProtoCLIP, ITRA and open_clip (scheduler.py of each) and clip-rocket (utils.py)."""

import math

import pytest
import torch

from protoclip_cli.optimization.schedules.constant import ConstantSpec
from protoclip_cli.optimization.schedules.cosine import CosineSpec


def _rates(spec, base, first, last, steps):
    return torch.tensor([spec.rate(base, step, first, last) for step in range(steps)], dtype=torch.float64)


def _equal(ours, theirs, base):
    torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-14 * base)


def test_both_rates_equal_protoclip(golden, load):
    for path in golden("protoclip_lr*.npz"):
        g = load(path)
        spec = CosineSpec(kind="cosine", warmup=g["hp_warmup"])
        total, first, last = (g[f"hp_{name}"] for name in ("total_steps", "text_start_step", "text_end_step"))
        image = _rates(spec, g["hp_lr_visual"], 0, g["hp_visual_steps"], total)
        text = _rates(spec, g["hp_lr_text"], first, last, total)
        _equal(image, g["out_lr_visual"], g["hp_lr_visual"])
        until = last + 1  # what comes after is the next test's
        _equal(text[:until], g["out_lr_text"][:until], g["hp_lr_text"])
        of_last_step = torch.stack([image[-1], image[-1], g["out_lr_text"][-1], g["out_lr_text"][-1]])
        _equal(of_last_step, g["out_group_lrs_last"], g["hp_lr_text"])


def test_after_the_last_step_the_rate_is_0_and_protoclip_climbs_again(golden, load):
    """ProtoCLIP compares the end with steps since the start of the text side, so it stops that much later."""
    for path in golden("protoclip_lr*.npz"):
        g = load(path)
        total, first, last = (g[f"hp_{name}"] for name in ("total_steps", "text_start_step", "text_end_step"))
        base, warmup = g["hp_lr_text"], g["hp_warmup"]
        spec = CosineSpec(kind="cosine", warmup=warmup)
        after = range(last + 1, total)
        assert all(spec.rate(base, step, first, last) == 0 for step in after)
        span = last - first - warmup
        climb = [
            base * (1 + math.cos(math.pi * (s - first - warmup) / span)) / 2 if s <= last + first else 0.0
            for s in after
        ]
        theirs = g["out_lr_text"][last + 1 :]
        _equal(torch.tensor(climb, dtype=torch.float64), theirs, base)
        assert (theirs > 0).any() == (first > 0 and last + 1 < total)


def test_cosine_with_scaled_groups_equals_itra(golden, load):
    for path in golden("cosine_lr*.npz"):
        g = load(path)
        spec = CosineSpec(kind="cosine", warmup=g["hp_warmup"])
        rates = _rates(spec, g["hp_lr"], 0, g["hp_total_steps"], g["hp_total_steps"])
        ours = torch.outer(rates, g["hp_lr_scales"]) if "hp_lr_scales" in g else rates
        _equal(ours, g["out_lr"], g["hp_lr"])


def test_constant_with_and_without_cooldown_equals_open_clip(golden, load):
    for path in golden("const_lr*.npz"):
        g = load(path)
        spec = ConstantSpec(
            kind="constant",
            warmup=g["hp_warmup"],
            cooldown=g.get("hp_cooldown_steps", 0),
            power=g.get("hp_cooldown_power", 1.0),
            final_rate=g.get("hp_cooldown_end_lr", 0.0),
        )
        rates = _rates(spec, g["hp_lr"], 0, g["hp_total_steps"], g["hp_total_steps"])
        _equal(rates, g["out_lr"], g["hp_lr"])


def test_cosine_from_a_start_to_a_final_rate_equals_clip_rocket(golden, load):
    for path in golden("cliprocket_cosine*.npz"):
        g = load(path)
        steps = g["hp_epochs"] * g["hp_iters_per_epoch"]
        spec = CosineSpec(
            kind="cosine",
            warmup=g["hp_warmup_epochs"] * g["hp_iters_per_epoch"],
            final_rate=g["hp_final"],
            start_rate=g["hp_start_warmup"],
        )
        _equal(_rates(spec, g["hp_base"], 0, steps, steps), g["out_lr"], g["hp_base"])
        assert g["out_lr"].min() > 0
        assert g["out_lr"].max() == pytest.approx(g["hp_base"])
