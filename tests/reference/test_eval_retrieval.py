"""Retrieval ranks against ProtoCLIP, CLIP_benchmark and open_clip.

Known differences: ProtoCLIP reports percent. CLIP_benchmark's inner recall (true positives over positives) is
not the metric of any paper and has no counterpart here.
"""

import numpy as np
import pytest

from protoclip_cli.metrics.ranking import within
from protoclip_cli.metrics.retrieval import mean_rank, median_rank, retrieval_ranks

CUTS = (1, 5, 10)


def named(arrays, name):
    return dict(zip(arrays[f"{name}_keys"].tolist(), arrays[name].tolist(), strict=True))


def files(golden):
    for path in golden("eval_retrieval_*.npz"):
        with np.load(path, allow_pickle=False) as arrays:
            yield dict(arrays)


@pytest.mark.parametrize("chunk", [3, 512])
def test_several_captions(golden, chunk):
    for arrays in files(golden):
        found = retrieval_ranks(
            arrays["image_features"], arrays["text_features"], arrays["text_to_image"], chunk
        )
        image_to_text = {k: within(found.image_to_text, k) for k in CUTS}
        text_to_image = {k: within(found.text_to_image, k) for k in CUTS}
        protoclip = (
            {f"image2text-R@{k}": 100 * value for k, value in image_to_text.items()}
            | {f"text2image-R@{k}": 100 * value for k, value in text_to_image.items()}
            | {"mean-recall": 100 * found.mean_recall}
        )
        clip_benchmark = {f"text_retrieval_recall@{k}": value for k, value in image_to_text.items()} | {
            f"image_retrieval_recall@{k}": value for k, value in text_to_image.items()
        }
        assert protoclip == pytest.approx(named(arrays, "ref_protoclip"), abs=1e-3)
        assert clip_benchmark == pytest.approx(named(arrays, "ref_clipbench"), abs=1e-5)


def test_one_caption_per_image(golden):
    for arrays in files(golden):
        images = arrays["image_features"]
        found = retrieval_ranks(
            images, arrays["text_features"][arrays["first_caption"]], np.arange(len(images))
        )
        ours = {}
        for name, ranks in (("image_to_text", found.image_to_text), ("text_to_image", found.text_to_image)):
            ours |= {f"{name}_mean_rank": mean_rank(ranks), f"{name}_median_rank": median_rank(ranks)}
            ours |= {f"{name}_R@{k}": within(ranks, k) for k in CUTS}
        assert ours == pytest.approx(named(arrays, "ref_openclip_paired"), abs=1e-5)
