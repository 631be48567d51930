"""A text has one row, whoever embeds it with what else; and an encoder comes back from its folder."""

import json

import numpy as np
import open_clip
import pytest
import torch
from safetensors.torch import save_file

from protoclip_cli.data.captions import Captions
from protoclip_cli.models.bank_encoder import BankEncoder, open_encoder, save_encoder
from protoclip_cli.models.builders import BUILDERS, TEXT_ENCODERS

CAPTIONS = Captions(
    [
        *(f"a {size} {thing} on the mat" for size in ("big", "small", "tiny") for thing in ("dog", "cat")),
        *(f"the {thing} has a {size} photo" for size in ("big", "small", "tiny") for thing in ("dog", "cat")),
        *("", "  ", "🐕 naïve 猫\u202e", "dog", "a dog " * 200, "[bold]%s{x}"),
    ]
)
TEXTS = CAPTIONS.slice(0, len(CAPTIONS))
CPU = torch.device("cpu")
OPEN_CLIP = {
    "embed_dim": 16,
    "vision_cfg": {"image_size": 32, "layers": [1, 1, 1, 1], "width": 8},
    "text_cfg": {"context_length": 24, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
}


def vectors(folder):
    chance = np.random.default_rng(0)
    words = ["a", "big", "small", "dog", "cat", "on", "the", "mat", "photo"]
    lines = [f"{word} {' '.join(f'{x:.4f}' for x in chance.normal(size=7))}" for word in words]
    (folder / "glove.txt").write_text("\n".join(lines) + "\n")
    return {"path": folder / "glove.txt"}


def clip(folder):
    model = folder / "clip"
    (model / "configs").mkdir(parents=True)
    (model / "configs" / "encoder-tiny.json").write_text(json.dumps(OPEN_CLIP))
    open_clip.add_model_config(model / "configs")
    torch.manual_seed(0)
    save_file(open_clip.create_model("encoder-tiny").state_dict(), model / "open_clip_model.safetensors")
    config = {"model_cfg": OPEN_CLIP, "preprocess_cfg": {"size": 32, "mean": [0.5] * 3, "std": [0.25] * 3}}
    (model / "open_clip_config.json").write_text(json.dumps(config))
    return {"name": f"local-dir:{model}", "batch": 2}


@pytest.fixture(params=TEXT_ENCODERS.kinds())
def spec(request, tmp_path):
    kind = request.param

    def roberta():
        write = request.getfixturevalue("transformer")
        return {"name": str(write(tmp_path / "roberta", TEXTS)), "batch": 2}

    if kind == "sentence_transformers":
        pytest.importorskip("sentence_transformers")
    fields = {
        "lsa": lambda: {"dim": 6},
        "static_vectors": lambda: vectors(tmp_path),
        "open_clip": lambda: clip(tmp_path),
        "huggingface": roberta,
        "sentence_transformers": roberta,
    }
    return TEXT_ENCODERS.spec(kind).model_validate({"kind": kind} | fields[kind]())


@pytest.fixture
def encoder(spec):
    return spec.open(CAPTIONS, seed=0, device=CPU)


def test_rows_are_finite_float32_of_the_width_it_says(encoder):
    rows = encoder.embed(TEXTS)
    assert rows.shape == (len(TEXTS), encoder.width)
    assert rows.dtype == np.float32
    assert np.isfinite(rows).all()
    assert encoder.embed(TEXTS[:1]).shape == (1, encoder.width)


def test_a_text_has_the_same_row_whatever_it_is_embedded_with(encoder):
    together = encoder.embed(TEXTS)
    alone = np.concatenate([encoder.embed([text]) for text in TEXTS])
    backwards = encoder.embed(TEXTS[::-1])[::-1]
    np.testing.assert_allclose(alone, together, atol=2e-6)
    np.testing.assert_allclose(backwards, together, atol=2e-6)
    assert len(np.unique(together.round(4), axis=0)) > 10


def test_the_same_texts_give_the_same_bits(spec, encoder):
    again = spec.open(CAPTIONS, seed=0, device=CPU)
    assert np.array_equal(encoder.embed(TEXTS), again.embed(TEXTS))


def test_it_comes_back_from_its_folder_and_embeds_new_text(spec, encoder, tmp_path):
    save_encoder(tmp_path / "encoder", spec, encoder)
    back = open_encoder(tmp_path / "encoder", device=CPU)
    texts = [*TEXTS, "a photo of a small dog", "ein Satz, der nie vorkam"]
    rows = back.embed(texts)
    assert np.array_equal(rows, BankEncoder(encoder, spec.normalize).embed(texts))
    if spec.normalize:
        lengths = np.linalg.norm(rows, axis=1)
        assert np.all(np.isclose(lengths, 1, atol=1e-5) | (lengths == 0))
    assert {path.suffix for path in (tmp_path / "encoder").iterdir()} <= {".json", ".npy"}


def test_what_was_cut_or_unknown_is_counted(spec, encoder):
    encoder.embed(TEXTS)
    assert encoder.truncated == (spec.kind in {"huggingface", "open_clip", "sentence_transformers"})
    unknown = {"lsa": 2, "static_vectors": 4}
    assert encoder.unknown == unknown.get(spec.kind, 0)


def test_training_takes_dual_encoders_only_and_a_teacher_encoders_of_texts_only():
    assert BUILDERS.kinds() == ["open_clip", "two_towers"]
    assert TEXT_ENCODERS.kinds() == [
        "huggingface", "lsa", "open_clip", "sentence_transformers", "static_vectors"
    ]  # fmt: skip
    with pytest.raises(ValueError, match=r"unknown kind 'lsa'; .*open_clip"):
        BUILDERS.spec("lsa")
