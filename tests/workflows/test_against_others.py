"""The same exported model and images, scored by us, by open_clip's own code and by clip-benchmark."""

import json

import numpy as np
import open_clip
import pytest
import torch
from open_clip import build_zero_shot_classifier
from PIL import Image
from safetensors.torch import load_file
from torch.utils.data import DataLoader
from torchvision.datasets import ImageFolder

from protoclip_cli.data.benchmarks.prompts import PHOTO_TEMPLATES

CLASSES = ("ant", "bee", "cow", "dog", "eel", "fox")


@pytest.fixture(scope="module")
def animals(tmp_path_factory):
    """Thirty pictures of six classes, in an image folder, and in a table with two captions of each."""
    root, rng = tmp_path_factory.mktemp("animals"), np.random.default_rng(1)
    lines = ["filepath\ttitle"]
    for name in CLASSES:
        (root / "folder" / name).mkdir(parents=True)
        for number in range(5):
            path = root / "folder" / name / f"{number}.png"
            pixels = rng.integers(0, 256, (5, 6, 3), dtype=np.uint8)
            Image.fromarray(pixels).resize((48, 40)).save(path)
            lines += [f"{path}\tthe {name} number {number}", f"{path}\t{number} times {name} in a garden"]
    (root / "pairs.tsv").write_text("\n".join(lines) + "\n")
    return root


@pytest.fixture(scope="module")
def theirs(tiny):
    model, _, preprocess = open_clip.create_model_and_transforms(f"local-dir:{tiny}")
    return model.eval(), preprocess, open_clip.get_tokenizer(f"local-dir:{tiny}")


def ours(call, *arguments):
    done = call("evaluate", *arguments, "--json", "--no-cache")
    assert done.exit_code == 0, done.stderr
    return {(row["probe"], row["metric"]): row["value"] for row in json.loads(done.stdout)["scores"]}


def test_a_local_file_scores_as_by_open_clips_own_zero_shot_code(call, tiny, animals, tmp_path):
    torch.save(load_file(tiny / "open_clip_model.safetensors"), tmp_path / "tiny.pt")
    named = ["--model", tiny / "configs" / "test-tiny.json", "--pretrained", tmp_path / "tiny.pt"]
    found = ours(call, *named, "--data", animals / "folder", "--tasks", "zero_shot")
    model, _, preprocess = open_clip.create_model_and_transforms("test-tiny", str(tmp_path / "tiny.pt"))
    tokenizer = open_clip.get_tokenizer("test-tiny")
    classifier = build_zero_shot_classifier(model.eval(), tokenizer, CLASSES, PHOTO_TEMPLATES)
    images, labels = next(iter(DataLoader(ImageFolder(animals / "folder", preprocess), 30)))
    with torch.no_grad():
        logits = 100.0 * model.encode_image(images, normalize=True) @ classifier
    best = logits.topk(5).indices == labels[:, None]
    assert found["zero_shot", "top1"] == pytest.approx(best[:, 0].float().mean().item(), abs=1e-6)
    assert found["zero_shot", "top5"] == pytest.approx(best.any(1).float().mean().item(), abs=1e-6)


def test_zero_shot_is_that_of_clip_benchmark(call, tiny, animals, theirs, monkeypatch):
    zeroshot = pytest.importorskip("clip_benchmark.metrics.zeroshot_classification")

    def accuracy(output, target, topk=(1,)):
        """Theirs converts an array of one number, which NumPy no longer does."""
        best = output.topk(max(topk), 1).indices == target[:, None]
        return [best[:, :k].any(1).float().mean().item() for k in topk]

    monkeypatch.setattr(zeroshot, "accuracy", accuracy)
    model, preprocess, tokenizer = theirs
    loader = DataLoader(ImageFolder(animals / "folder", preprocess), 8)
    templates = [template.replace("{}", "{c}") for template in PHOTO_TEMPLATES]
    expected = zeroshot.evaluate(model, loader, tokenizer, CLASSES, templates, "cpu", amp=False)
    found = ours(call, "--ckpt", tiny, "--data", animals / "folder", "--tasks", "zero_shot")
    assert 0 < expected["acc1"] < 1
    for name, metric in (("acc1", "top1"), ("acc5", "top5"), ("mean_per_class_recall", "mean_per_class")):
        assert found["zero_shot", metric] == pytest.approx(expected[name], abs=1e-6)


def test_retrieval_is_that_of_clip_benchmark(call, tiny, animals, theirs):
    retrieval = pytest.importorskip("clip_benchmark.metrics.zeroshot_retrieval")
    model, preprocess, tokenizer = theirs
    captions = {}
    for line in (animals / "pairs.tsv").read_text().splitlines()[1:]:
        path, caption = line.split("\t")
        captions.setdefault(path, []).append(caption)
    pairs = [(preprocess(Image.open(path).convert("RGB")), texts) for path, texts in captions.items()]
    batches = [pairs[at : at + 8] for at in range(0, len(pairs), 8)]
    loader = [(torch.stack([image for image, _ in some]), [texts for _, texts in some]) for some in batches]
    expected = retrieval.evaluate(model, loader, tokenizer, "cpu", amp=False, recall_k_list=[1, 5, 10])
    found = ours(call, "--ckpt", tiny, "--data", animals / "pairs.tsv", "--tasks", "retrieval")
    for k in (1, 5, 10):
        for theirs_name, name in (("image_retrieval", "text_to_image"), ("text_retrieval", "image_to_text")):
            value = expected[f"{theirs_name}_recall@{k}"]
            assert found["retrieval", f"{name}_recall@{k}"] == pytest.approx(value, abs=1e-6)
