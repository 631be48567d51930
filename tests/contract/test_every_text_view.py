import pickle

import numpy as np
import pytest
from pydantic import TypeAdapter

from protoclip_cli.compute.randomness import key, row_keys
from protoclip_cli.data.captions import Captions
from protoclip_cli.data.text_views import TEXT_VIEWS

KINDS = TEXT_VIEWS.kinds()
THESAURUS = "dog\thound\tpuppy\nbig\tvery large\n"
TEXTS = [
    "A big dog, on the grass.",
    "the a of",
    "dog",
    "",
    "   ",
    "naïve 猫 &amp; ½ 🐕",
    "one two three four five six seven eight nine ten " * 20,
]


@pytest.fixture(scope="module", params=[*KINDS, "with a thesaurus"])
def spec(request, tmp_path_factory):
    values = {"kind": request.param}
    if request.param not in KINDS:
        path = tmp_path_factory.mktemp("words") / "thesaurus.tsv"
        path.write_text(THESAURUS)
        values = {"kind": "clip_rocket_strong", "thesaurus": str(path), "insertion": 0.4, "clean": True}
    return TypeAdapter(TEXT_VIEWS.any).validate_python(values)


@pytest.fixture(scope="module")
def view(spec):
    return spec.build()


def keys(episode=0, rows=7):
    return row_keys(key(0, "text view", episode), np.arange(rows))


def test_a_text_for_a_text_and_none_is_lost(view):
    made = view(TEXTS, keys())
    assert [type(text) for text in made] == [str] * len(TEXTS)
    for text, before in zip(made, TEXTS, strict=True):
        assert bool(text.strip()) == bool(before.strip())
    assert view([], keys()[:0]) == []


def test_a_text_depends_on_its_own_row_only(view):
    whole = view(TEXTS, keys())
    for row, text in enumerate(TEXTS):
        assert view([text], keys()[row : row + 1]) == [whole[row]]
    order = [4, 0, 6, 2, 2]
    assert view([TEXTS[row] for row in order], keys()[order]) == [whole[row] for row in order]


def test_another_key_is_another_text_if_texts_change(view):
    rows = 40
    first, second = (view([TEXTS[0]] * rows, keys(episode, rows)) for episode in (0, 1))
    assert (first != second) == view.changes
    assert (len(set(first)) > 1) == view.changes


def test_it_pickles(view):
    copy = pickle.loads(pickle.dumps(view))
    assert copy(TEXTS, keys()) == view(TEXTS, keys())
    assert (copy.changes, copy.several, copy.new_words()) == (view.changes, view.several, view.new_words())


def test_captions_are_the_rows_own(view):
    counts = np.arange(50) % 4 + 1
    captions = Captions.grouped([f"c{i}" for i in range(counts.sum())], counts)
    rows = np.array([3, 1, 49, 7, 7, 0])
    first, many = captions.spans(rows)
    for number in (1, 2, 5):
        chance = row_keys(key(0, "text views", 3), rows)
        which = view.choose(captions, rows, first.copy(), number, chance)
        assert ((first <= which) & (which < first + many)).all()
        assert which[3] == which[4]
        alone = view.choose(captions, rows[1:2], first[1:2], number, chance[1:2])
        assert alone.tolist() == which[1:2].tolist()


def test_every_field_is_described_and_the_spec_comes_back(spec):
    for name, field in type(spec).model_fields.items():
        assert field.description or name == "kind", name
    assert TypeAdapter(TEXT_VIEWS.any).validate_python(spec.model_dump(mode="json")) == spec
