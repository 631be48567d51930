"""What is particular to one kind of text encoder. What all have in common: tests/contract."""

import json
import sys

import numpy as np
import pytest
import torch

from protoclip_cli.core.errors import DataError, MissingExtra, RecipeError
from protoclip_cli.data.captions import Captions
from protoclip_cli.models.builders import TEXT_ENCODERS
from protoclip_cli.models.builders.huggingface import pool
from protoclip_cli.models.builders.open_clip import OpenClipText
from protoclip_cli.models.builders.static_vectors import StaticVectors
from protoclip_cli.models.text_encoder import by_length

CPU = torch.device("cpu")
TEXTS = ["a dog", "two dogs on the very long grass", "", "a cat"]


def make(kind, captions=TEXTS, seed=0, **fields):
    spec = TEXT_ENCODERS.spec(kind).model_validate({"kind": kind} | fields)
    return spec.open(Captions(captions), seed=seed, device=CPU)


def test_batches_fill_their_room_and_hold_each_text_once():
    lengths = [3, 9, 1, 1, 4, 30, 2, 2, 5]
    batches = list(by_length(lengths, 12))
    assert sorted(place for batch in batches for place in batch) == list(range(9))
    assert batches[0] == [5]
    for batch in batches[1:]:
        assert max(lengths[place] for place in batch) * len(batch) <= 12
    assert len(batches) == 5
    assert list(by_length([], 12)) == []
    assert list(by_length([0, 0], 1)) == [[0], [1]]


@pytest.fixture(scope="module")
def roberta(transformer, tmp_path_factory):
    return str(transformer(tmp_path_factory.mktemp("roberta"), TEXTS))


@pytest.fixture(scope="module")
def states(roberta):
    """Token features of one text alone: nothing is padded."""
    from transformers import AutoModel, AutoTokenizer

    tokenizer, model = AutoTokenizer.from_pretrained(roberta), AutoModel.from_pretrained(roberta).eval()

    @torch.no_grad()
    def found(text, pad_to=None, pad=None):
        ids = tokenizer(text)["input_ids"]
        ids = ids + [pad] * (pad_to - len(ids)) if pad_to else ids
        return model(torch.tensor([ids])).last_hidden_state[0]

    return found


@pytest.mark.parametrize(
    ("pooling", "of"),
    [
        ("mean", lambda s: s.mean(dim=0)),
        ("cls", lambda s: s[0]),
        ("last", lambda s: s[-1]),
        ("max", lambda s: s.amax(dim=0)),
    ],
)
def test_pooling_leaves_padding_out(pooling, of, roberta, states):
    rows = make("huggingface", name=roberta, pooling=pooling, batch=4).embed(TEXTS)
    for row, text in zip(rows, TEXTS, strict=True):
        np.testing.assert_allclose(row, of(states(text)).numpy(), atol=2e-6)


def test_the_switch_averages_padding_as_the_original_did(roberta, states):
    """Filled up to 77 with the start token, which is attended to and averaged like a word."""
    rows = make("huggingface", name=roberta, average_padding=True).embed(TEXTS)
    for row, text in zip(rows, TEXTS, strict=True):
        np.testing.assert_allclose(row, states(text, 77, 0).mean(dim=0).numpy(), atol=2e-6)
    ours = make("huggingface", name=roberta).embed(TEXTS)
    assert np.abs(rows - ours).max() > 1e-2, "the default is another thing"


def test_only_a_mean_can_average_padding(roberta):
    with pytest.raises(ValueError, match="average_padding does not go with pooling: cls"):
        make("huggingface", name=roberta, average_padding=True, pooling="cls")


def test_pooling_of_a_text_without_tokens_is_finite():
    states, inside = torch.ones(2, 3, 4), torch.tensor([[True, True, False], [False] * 3])
    for how in ("mean", "cls", "max", "last"):
        assert pool(states, inside, how).isfinite().all()


def test_texts_that_are_cut_are_counted_and_those_that_fit_exactly_are_not(roberta):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(roberta)
    exact = next(text for n in range(1, 99) if len(tokenizer(text := "b" * n)["input_ids"]) == 10)
    encoder = make("huggingface", name=roberta, length=10)
    encoder.embed([exact, exact + "b", "b" * 500, "b"])
    assert encoder.truncated == 2


def test_a_length_beyond_the_models_is_the_models(roberta):
    encoder = make("huggingface", name=roberta, length=5000)
    assert np.isfinite(encoder.embed(["a dog " * 300])).all()
    assert encoder.truncated == 1


def test_half_precision_is_close(roberta):
    exact = make("huggingface", name=roberta).embed(TEXTS)
    half = make("huggingface", name=roberta, precision="bf16").embed(TEXTS)
    assert half.dtype == np.float32
    np.testing.assert_allclose(half, exact, atol=0.05)
    with pytest.raises(RecipeError, match="fp16 needs a GPU"):
        make("huggingface", name=roberta, precision="fp16")


def test_code_that_comes_with_a_model_is_not_run(roberta, tmp_path):
    import shutil

    folder = tmp_path / "evil"
    shutil.copytree(roberta, folder)
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "evil", "auto_map": {"AutoConfig": "evil.C", "AutoModel": "evil.M"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "evil.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()")
    with pytest.raises(RecipeError, match="cannot be loaded") as caught:
        make("huggingface", name=str(folder))
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "ran").exists()


def test_nothing_is_written_on_the_screen(roberta, capfd):
    make("huggingface", name=roberta).embed(TEXTS)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("kind", ["huggingface", "sentence_transformers"])
def test_a_missing_library_is_named_with_the_line_to_type(kind, monkeypatch):
    for name in ("transformers", "sentence_transformers"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(MissingExtra) as caught:
        make(kind, name="anything")
    assert caught.value.hint == "pip install 'protoclip[teachers]'"
    assert caught.value.exit_code == 5


@pytest.mark.parametrize("kind", ["huggingface", "sentence_transformers"])
def test_a_model_that_is_not_there_is_one_line(kind, monkeypatch, tmp_path):
    pytest.importorskip(kind.replace("huggingface", "transformers"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(RecipeError, match="cannot be loaded") as caught:
        make(kind, name=str(tmp_path / "nowhere"))
    assert "\n" not in str(caught.value)


GLOVE = "dog 1 0 0\ncat 0 1 0\n, 0 0 1\ndog 9 9 9\ngrass 2 2 2\n"


@pytest.fixture
def glove(tmp_path):
    (tmp_path / "glove.txt").write_text(GLOVE)
    return tmp_path / "glove.txt"


@pytest.mark.parametrize("header", ["", "5 3\n"])
def test_vectors_of_words_in_use_are_averaged(header, glove):
    glove.write_text(header + GLOVE)
    encoder = make("static_vectors", ["A dog, a CAT", "five 3"], path=glove)
    assert {word for word, vector in encoder.known.items() if len(vector)} == {"dog", "cat", ","}
    rows = encoder.embed(["Dog, cat!", "dog dog cat", "nothing of it"])
    np.testing.assert_allclose(rows, [[1 / 3] * 3, [2 / 3, 1 / 3, 0], [0, 0, 0]], atol=1e-6)
    assert encoder.unknown == 1


def test_words_of_later_texts_are_looked_up_while_the_file_is_there(glove, tmp_path):
    encoder = make("static_vectors", ["a dog"], path=glove)
    encoder.save(tmp_path)
    spec = TEXT_ENCODERS.spec("static_vectors").model_validate({"kind": "static_vectors", "path": glove})
    assert np.array_equal(spec.reopen(tmp_path, device=CPU).embed(["grass"]), [[2, 2, 2]])
    glove.unlink()
    back = spec.reopen(tmp_path, device=CPU)
    assert np.array_equal(back.embed(["grass", "dog grass"]), [[0, 0, 0], [1, 0, 0]])


def test_the_file_is_read_once_for_all_captions(glove, monkeypatch, tmp_path):
    captions = ["a dog with unknown words", "a cat"]
    make("static_vectors", captions, path=glove).save(tmp_path)
    spec = TEXT_ENCODERS.spec("static_vectors").model_validate({"kind": "static_vectors", "path": glove})
    monkeypatch.setattr(
        StaticVectors, "_look_up", lambda _, words: pytest.fail(f"read for {words}") if words else None
    )
    spec.reopen(tmp_path, device=CPU).embed(captions)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("dog 1 2 3\ncat 1 2\n", "line 2"),
        ("dog 1 2 x\n", "line 1"),
        ("dog 1 nan 3\n", "line 1"),
        ("", "no word vectors"),
        ("5 3\n", "no word vectors"),
        ("zebra 1 2 3\n", "no vector for any word"),
    ],
)
def test_a_file_of_another_form_says_where(content, words, glove):
    glove.write_text(content)
    with pytest.raises(DataError, match=words):
        make("static_vectors", ["a dog and a cat"], path=glove)


def test_a_missing_file_of_vectors(tmp_path):
    with pytest.raises(DataError, match="cannot be read: No such file"):
        make("static_vectors", path=tmp_path / "glove.txt")


@pytest.mark.parametrize("name", ["test-flat", "test-custom", "test-pooled"])
def test_an_open_clip_teacher_is_the_text_tower_whatever_the_length(name, build, captions):
    """Cut texts keep their end token, and padding that counts stays."""
    towers = build(name).towers
    texts = [*captions, *TEXTS, "dog " * 40]
    encoder = OpenClipText(towers, 2, CPU)
    with torch.no_grad():
        expected = towers.text(towers.tokenizer(texts)).numpy()
    np.testing.assert_allclose(encoder.embed(texts), expected, atol=2e-6)
    assert encoder.truncated == 2


def test_an_open_clip_teacher_without_weights_is_refused():
    with pytest.raises(RecipeError, match="without weights knows nothing"):
        make("open_clip", name="glyphs-tiny")


def test_captions_that_are_alike_have_lsa_features_that_are_alike():
    animals = [f"a {a} and a {b}" for a in ("dog", "cat", "cow") for b in ("hen", "goat", "pig")]
    numbers = [f"number {a} plus {b}" for a in ("one", "two", "six") for b in ("ten", "nine", "zero")]
    rows = make("lsa", animals + numbers, dim=4).embed(["dog goat", "cat pig", "six nine"])
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    likeness = rows @ rows.T
    assert likeness[0, 1] > 0.5 > likeness[0, 2] + 0.3


@pytest.mark.parametrize(
    ("captions", "words"), [(["a b c"] * 9, "too few"), (["", " "], "no words"), (["!", "?"], "no words")]
)
def test_captions_that_cannot_be_analysed(captions, words):
    with pytest.raises(RecipeError, match=words) as caught:
        make("lsa", captions, dim=3)
    assert caught.value.hint


def test_lsa_directions_come_from_a_sample_of_many_captions(monkeypatch):
    from protoclip_cli.models.builders import lsa

    captions = [f"{a} {b} {c}" for a in "αβγδε" for b in "ζηθικ" for c in "λμνξο"]
    whole = make("lsa", captions, dim=5).embed(captions)
    monkeypatch.setattr(lsa, "_SAMPLE", 100)
    some = make("lsa", captions, dim=5)
    assert np.array_equal(some.embed(captions), make("lsa", captions, dim=5).embed(captions))
    assert not np.array_equal(some.embed(captions), whole)
    assert len(some.words) == 15
