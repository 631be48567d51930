import numpy as np
import open_clip
import pytest
import torch

from protoclip_cli.data import tokens as module
from protoclip_cli.data.captions import Captions
from protoclip_cli.data.tokens import tokenize
from protoclip_cli.workflows.tokenizing import Tokenizing

LENGTH = 8  # room for six words between the start and the end


@pytest.fixture(scope="module")
def tokenizer():
    return open_clip.get_tokenizer("ViT-B-32")


def table(tokenizer, texts, length=LENGTH):
    return tokenize(Captions(texts), Tokenizing(tokenizer), length)


def rows(table, *which, short=False):
    return table.rows(np.array(which, np.int64), short=short)


TEXTS = [
    "a cat sat on a mat",  # fits exactly
    "a cat sat on a mat too",  # one word too many
    "",
    "a cat",
    " ".join(["dog"] * 5000),
    "[b]red[/b]\ttab\nline",
    "🐕 naïve — 猫",
    "&amp; &lt;b&gt;  two   spaces ",
    "x" * 10_000,
]


def test_rows_are_what_the_tokenizer_makes(tokenizer):
    made = table(tokenizer, TEXTS)
    assert torch.equal(rows(made, *range(len(TEXTS))), tokenizer(TEXTS, LENGTH))
    some = [3, 0, 3]
    assert torch.equal(rows(made, *some), tokenizer([TEXTS[i] for i in some], LENGTH))
    assert rows(made, 0).dtype == torch.int64


def test_only_texts_that_lose_something_count_as_cut(tokenizer):
    assert table(tokenizer, TEXTS[:1]).truncated == 0
    assert table(tokenizer, TEXTS[:2]).truncated == 1
    lost = [len(tokenizer.encode(text)) > LENGTH - 2 for text in TEXTS]
    assert table(tokenizer, TEXTS).truncated == sum(lost)
    assert table(tokenizer, TEXTS, 77).truncated == 2


def test_short_rows_are_padded_to_the_longest_of_them(tokenizer):
    made = table(tokenizer, TEXTS)
    assert rows(made, 2, 3, short=True).tolist() == tokenizer(["", "a cat"], LENGTH)[:, :4].tolist()
    assert rows(made, 2, short=True).shape == (1, 2)
    assert rows(made, 1, 2, short=True).shape == (2, LENGTH)
    assert rows(made, short=True).shape == (0, 1)


def test_the_tokens_in_use_are_all_and_only_those(tokenizer):
    made = table(tokenizer, TEXTS)
    assert made.used().tolist() == tokenizer(TEXTS, LENGTH).unique().tolist()
    assert made.used()[0] == made.pad == 0


def test_chunks_change_nothing(tokenizer, monkeypatch):
    whole = table(tokenizer, TEXTS)
    monkeypatch.setattr(module, "_CHUNK", 2)
    parts = table(tokenizer, TEXTS)
    assert np.array_equal(parts.ids, whole.ids)
    assert np.array_equal(parts.first, whole.first)
    assert parts.truncated == whole.truncated


def _shared(texts):
    made = table(open_clip.get_tokenizer("ViT-B-32"), texts)
    return made.ids.tolist(), made.first.tolist(), made.truncated


def test_every_process_gets_the_table_of_one(tokenizer, on_processes):
    whole = table(tokenizer, TEXTS)
    want = (whole.ids.tolist(), whole.first.tolist(), whole.truncated)
    assert on_processes(2, _shared, TEXTS) == [want, want]
