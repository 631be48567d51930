"""Runs with several views of images and texts."""

import json

import pytest

from protoclip_cli.core.errors import DataError, RecipeError, Stopped
from protoclip_cli.core.needs import Needs
from protoclip_cli.data.loader import PairReader
from protoclip_cli.objectives.info_nce import InfoNCESpec
from protoclip_cli.workflows.plan_training import plan_training
from protoclip_cli.workflows.train import train

SHORT = ("towers={}", "evaluate={}", "validation=null", "episodes.count=2")
STRONG = "views.augmented_text={kind: clip_rocket_strong, clean: true, swap: 1, deletion: 1}"


@pytest.fixture
def views(monkeypatch):
    """`views(3, 2)`: from now on InfoNCE asks for so many image and text views."""

    def arranged(image, text):
        monkeypatch.setattr(InfoNCESpec, "needs", lambda _: Needs(image_views=image, text_views=text))

    return arranged


@pytest.fixture
def words(tmp_path):
    path = tmp_path / "words.tsv"
    path.write_text("letter\tzebra crossing\nsmall\ttiny\n")
    return path


def test_stopped_and_resumed_it_is_the_same_run(recipe, views, words, heard, signal_after, tmp_path):
    views(3, 3)
    made = recipe(
        *SHORT,
        "views.augmented_image={kind: clip_rocket_strong, pair: byol}",
        "views.text={kind: clip_rocket_weak}",
        f"views.augmented_text={{kind: clip_rocket_strong, thesaurus: {words}, synonym: 9}}",
    )
    whole, stopped, said = tmp_path / "whole", tmp_path / "stopped", heard()
    train(made, run=whole, reporter=said)
    with signal_after(7), pytest.raises(Stopped):
        train(made, run=stopped)
    train(made, run=stopped, resume=True)
    for name in (
        "metrics.jsonl",
        "checkpoints/last/model.safetensors",
        "checkpoints/last/objectives.safetensors",
    ):
        assert (stopped / name).read_bytes() == (whole / name).read_bytes(), name
    assert not [warning for warning in said.warnings if "changed texts" in warning]


def test_a_run_that_goes_on_with_other_synonyms_says_so(
    recipe, views, words, heard, signal_after, tmp_path, monkeypatch
):
    views(1, 2)
    monkeypatch.setenv("HOME", str(words.parent))
    text = "views.augmented_text={kind: clip_rocket_strong, thesaurus: ~/words.tsv, synonym: 9}"
    run, unchanged, changed = tmp_path / "run", heard(), heard()
    for step, reporter in ((2, heard()), (4, unchanged)):
        with signal_after(step), pytest.raises(Stopped):
            train(recipe(*SHORT, text), run=run, resume=step > 2, reporter=reporter)
    words.write_text(words.read_text() + "digit\tnumber\n")
    with signal_after(6), pytest.raises(Stopped):
        train(recipe(*SHORT, text), run=run, resume=True, reporter=changed)
    assert not [said for said in unchanged.warnings if "has changed" in said]
    (told,) = [said for said in changed.warnings if "has changed" in said]
    assert told == "~/words.tsv has changed since this run began; it goes on with the new one"


def test_texts_that_are_cut_are_told_at_the_end_of_an_episode(recipe, views, heard, tmp_path):
    views(1, 2)
    said = heard()
    # The tiny model takes 24 tokens; nothing of glyphs is as long, so a synonym makes it so.
    path = tmp_path / "long.tsv"
    path.write_text("letter\t" + "many words " * 20)
    text = f"views.augmented_text={{kind: clip_rocket_strong, thesaurus: {path}, swap: 0, deletion: 0}}"
    train(recipe(*SHORT, text), run=tmp_path / "run", reporter=said)
    told = [warning for warning in said.warnings if "were longer than the context, and cut" in warning]
    assert [warning.split(":")[0] for warning in told] == ["episode 0", "episode 1"]
    lines = (tmp_path / "run" / "events.jsonl").read_text().splitlines()
    events = [event for event in map(json.loads, lines) if event["event"] == "odd_texts"]
    assert [(event["step"], event["episode"], event["unknown"]) for event in events] == [
        (5, 0, 0),
        (10, 1, 0),
    ]
    assert all(0 < event["cut"] <= 60 for event in events)


def test_too_few_captions_are_told_at_the_start(recipe, views, heard, tmp_path):
    views(1, 2)
    said = heard()
    train(recipe(*SHORT, "views.text={kind: captions}"), run=tmp_path / "run", reporter=said)
    assert any("60 of 60 rows have fewer captions than the 2 text views" in w for w in said.warnings)


@pytest.mark.parametrize(
    ("needs", "override", "words"),
    [
        ((1, 1), "views.augmented_image={kind: glyphs}", "no objective reads more than one image view"),
        ((1, 1), STRONG, "views.augmented_text is given, and no objective reads more than one text view"),
        (
            (2, 1),
            "views.augmented_image={kind: clip_rocket_strong, pair: byol}",
            "views.augmented_image: pair: byol makes two views, and this policy is to make 1",
        ),
        ((1, 1), "views.image={kind: clip_rocket_strong, pair: byol}", "views.image: pair: byol makes two"),
        (
            (1, 2),
            "views.augmented_text={kind: clip_rocket_strong, synonym: 1}",
            "synonym has a weight and no synonyms; set thesaurus: FILE",
        ),
    ],
)
def test_views_that_do_not_fit_the_objectives(needs, override, words, recipe, views):
    views(*needs)
    with pytest.raises(RecipeError, match=words):
        recipe(*SHORT, override)


def test_a_size_that_the_tower_does_not_take(recipe, views, heard, tmp_path):
    views(2, 1)
    made = recipe(*SHORT, "views.augmented_image={kind: clip_rocket_strong, size: 64}")
    for act in (lambda: plan_training(made, heard()), lambda: train(made, run=tmp_path / "run")):
        with pytest.raises(RecipeError, match="takes images of 32 pixels, and not of 64") as caught:
            act()
        assert caught.value.hint == "leave `size` of the view out"


@pytest.mark.parametrize("vocabulary", ["used", "full"])
def test_training_without_its_thesaurus_ends_with_one_line(vocabulary, recipe, views, tmp_path):
    views(1, 2)
    text = "views.augmented_text={kind: clip_rocket_strong, thesaurus: none.tsv}"
    with pytest.raises(DataError, match=r"the thesaurus none\.tsv cannot be read"):
        train(recipe(*SHORT, text, f"model.vocabulary={vocabulary}"), run=tmp_path / "run")


def test_a_thesaurus_that_is_not_there(recipe, views, heard):
    views(1, 2)
    made = recipe(*SHORT, "views.augmented_text={kind: clip_rocket_strong, thesaurus: none.tsv}")
    with pytest.raises(DataError, match=r"the thesaurus none\.tsv cannot be read"):
        plan_training(made, heard())


def test_a_look_reads_the_first_view_only(recipe, views, monkeypatch, tmp_path):
    views(3, 2)
    asked, read = [], PairReader.__getitem__

    def note(self, request):
        asked.append((request.episode, request.image_views, request.text_views))
        return read(self, request)

    monkeypatch.setattr(PairReader, "__getitem__", note)
    made = recipe("evaluate={}", "validation=null", "episodes.count=2", "prototypes.keep_images_gb=0", STRONG)
    train(made, run=tmp_path / "run")
    first, second = ([views for episode, *views in asked if episode == number] for number in (0, 1))
    assert first == [[3, 2]] * 5
    assert second == [[1, 1]] * 5 + [[3, 2]] * 5
