import json
import pickle

import numpy as np
import pytest
import torch

from protoclip_cli.core.errors import DataError, RecipeError
from protoclip_cli.data.captions import Captions
from protoclip_cli.data.tokens import tokenize
from protoclip_cli.models.builders import TEXT_ENCODERS
from protoclip_cli.models.text_towers import TEXT_TOWERS
from protoclip_cli.models.text_towers._tokens import PAD, FastTokenizer
from protoclip_cli.models.text_towers.huggingface import PooledTexts

TEXTS = ["a dog", "two dogs on the very long grass", "", "a cat"]


def make(kind, **fields):
    return TEXT_TOWERS.spec(kind).model_validate({"kind": kind} | fields).build()


@torch.no_grad()
def embed(tower, texts=TEXTS):
    return tower.module.eval()(tower.tokenizer(texts))


@pytest.fixture(scope="module")
def roberta(transformer, tmp_path_factory):
    return str(transformer(tmp_path_factory.mktemp("roberta"), TEXTS))


@pytest.fixture(scope="module")
def glove(tmp_path_factory):
    path = tmp_path_factory.mktemp("glove") / "v.txt"
    path.write_text("4 3\na 1 0 0\ndog 0 2 0\ncat 0 0 3\nrare 9 9 9\n")
    return path


@pytest.mark.parametrize("pooling", ["mean", "cls", "max", "last"])
def test_a_transformer_makes_what_it_makes_as_a_teacher(roberta, pooling):
    tower = make("huggingface", name=roberta, pooling=pooling)
    spec = {"kind": "huggingface", "name": roberta, "pooling": pooling}
    teacher = (
        TEXT_ENCODERS.spec("huggingface").model_validate(spec).open(Captions(TEXTS), seed=0, device="cpu")
    )
    np.testing.assert_allclose(embed(tower).numpy(), teacher.embed(TEXTS), atol=2e-6)
    assert tower.width == 24


def test_padding_is_as_good_as_none(roberta):
    tower = make("huggingface", name=roberta)
    alone = torch.cat([embed(tower, [text]) for text in TEXTS])
    torch.testing.assert_close(embed(tower), alone, rtol=0, atol=2e-6)
    many = TEXTS * 20  # so many are embedded in groups of like length
    torch.testing.assert_close(embed(tower, many), alone.repeat(20, 1), rtol=0, atol=2e-6)


def test_a_tower_is_made_again_without_its_folder(roberta):
    tower = make("huggingface", name=roberta, length=9)
    described = json.loads(json.dumps(tower.described))
    assert roberta not in json.dumps({**described, "config": {**described["config"], "_name_or_path": ""}})
    again = TEXT_TOWERS.spec("huggingface").rebuild(described)
    again.module.load_state_dict(tower.module.state_dict())
    assert torch.equal(embed(again), embed(tower))
    assert again.tokenizer.context_length == 9


def test_texts_that_are_cut_are_counted(roberta):
    tower = make("huggingface", name=roberta, length=8)
    table = tokenize(Captions(["a", "b" * 50, ""]), tower.tokenizer, 8)
    assert (table.pad, table.truncated) == (PAD, 1)
    assert torch.equal(table.rows(np.arange(3), short=False), tower.tokenizer(["a", "b" * 50, ""]))
    pickle.loads(pickle.dumps(tower.tokenizer))


def test_a_text_without_a_token_is_finite():
    from transformers import GPT2Config, GPT2Model

    model = GPT2Model(GPT2Config(vocab_size=9, n_embd=8, n_layer=1, n_head=2, n_positions=8))
    module = PooledTexts(model, "mean", 0).eval()
    rows = module(torch.tensor([[PAD, PAD], [3, PAD]]))
    assert rows.isfinite().all()
    torch.testing.assert_close(rows[1], module(torch.tensor([[3]]))[0])


def test_a_tower_may_start_from_chance_and_half_read_weights_are_told(roberta, transformer, tmp_path):
    weights = make("huggingface", name=roberta)
    torch.manual_seed(5)
    chance = make("huggingface", name=roberta, architecture_only=True)
    key = "model.encoder.layer.0.output.dense.weight"
    assert not torch.equal(weights.module.state_dict()[key], chance.module.state_dict()[key])
    assert weights.notes == ()
    folder = transformer(tmp_path, TEXTS)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 3}))
    (note,) = make("huggingface", name=str(folder)).notes
    assert "16 tensors are not in its weights and start from chance" in note


def test_a_length_without_positions_and_a_tokenizer_of_python_are_refused(transformer, tmp_path, monkeypatch):
    folder = str(transformer(tmp_path, TEXTS))
    tokenizer = json.loads((tmp_path / "tokenizer_config.json").read_text())
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(tokenizer | {"model_max_length": 999}))
    with pytest.raises(RecipeError, match="does not take texts of 400 tokens") as error:
        make("huggingface", name=folder, length=400)
    assert "length" in error.value.hint
    monkeypatch.setattr("transformers.PreTrainedTokenizerFast.is_fast", False)
    with pytest.raises(RecipeError, match="not one of the tokenizers library"):
        make("huggingface", name=folder, length=8)


def test_a_sentence_encoder_is_its_transformer_and_its_pooling(roberta, tmp_path):
    st = pytest.importorskip("sentence_transformers")
    from sentence_transformers.sentence_transformer.modules import Dense, Normalize, Pooling, Transformer

    body = Transformer(roberta)
    encoder = st.SentenceTransformer(modules=[body, Pooling(24, "mean"), Normalize()], device="cpu")
    encoder.save(str(tmp_path / "st"))
    tower = make("sentence_transformers", name=str(tmp_path / "st"))
    found = torch.nn.functional.normalize(embed(tower), dim=-1)
    np.testing.assert_allclose(found.numpy(), encoder.encode(TEXTS), atol=1e-5)
    again = TEXT_TOWERS.spec("huggingface").rebuild(tower.described)
    again.module.load_state_dict(tower.module.state_dict())
    more = st.SentenceTransformer(modules=[body, Pooling(24, "mean"), Dense(24, 4)], device="cpu")
    more.save(str(tmp_path / "dense"))
    with pytest.raises(RecipeError, match="is made of Transformer, Pooling, Dense"):
        make("sentence_transformers", name=str(tmp_path / "dense"))


def test_word_vectors_learn(glove, tmp_path):
    tower = make("static_vectors", path=glove, words=3)
    rows = tower.module(tower.tokenizer(["A dog", "cat rare", "rare", ""]))
    expected = torch.tensor([[0.5, 1, 0], [0, 0, 3], [0, 0, 0], [0, 0, 0]])
    torch.testing.assert_close(rows, expected)
    rows.sum().backward()
    assert tower.module.vectors.weight.grad is not None
    again = TEXT_TOWERS.spec("static_vectors").rebuild(json.loads(json.dumps(tower.described)))
    assert torch.equal(again.tokenizer(["a cat"]), tower.tokenizer(["a cat"]))
    (tmp_path / "none.txt").write_text("")
    with pytest.raises(DataError, match="has no word vectors"):
        make("static_vectors", path=tmp_path / "none.txt")


@pytest.mark.parametrize("name", ["test-flat", "test-custom"])
def test_the_text_tower_of_open_clip_has_no_image_tower(build, name, captions):
    model = build(name)
    torch.manual_seed(0)
    tower = make("open_clip", name=name)
    with torch.no_grad():
        expected = model.towers.text(model.towers.tokenizer(captions))
    assert torch.equal(embed(tower, captions), expected)
    names = [name for name, _ in tower.module.named_parameters()]
    assert not any("visual" in name or "logit" in name for name in names)
    again = TEXT_TOWERS.spec("open_clip").rebuild(json.loads(json.dumps(tower.described)))
    again.module.load_state_dict(tower.module.state_dict())
    assert torch.equal(embed(again, captions), expected)


def test_a_tokenizer_says_the_same_for_any_length(roberta):
    tokenizer = make("huggingface", name=roberta).tokenizer
    assert isinstance(tokenizer, FastTokenizer)
    assert tokenizer(TEXTS, 40).shape == (4, 40)
    assert torch.equal(tokenizer(TEXTS, 40)[0, :5], tokenizer(TEXTS)[0, :5])
