import re

import pytest
import yaml

from protoclip_cli.core.errors import RecipeError
from protoclip_cli.recipe.evaluate import EvaluateRecipe
from protoclip_cli.recipe.load import difference, load_recipe, save_recipe
from protoclip_cli.recipe.train import TrainRecipe

SMALL = """\
# A small recipe.
name: small
pairs: {kind: glyphs, limit: 64}
model: {kind: open_clip, name: glyphs-tiny}
objectives:
  clip: {kind: info_nce}
batch: {size: 32}
"""


@pytest.fixture
def load(tmp_path):
    def loaded(text=SMALL, *overrides, schema=TrainRecipe):
        path = tmp_path / "r.yaml"
        path.write_text(text, encoding="utf-8")
        return load_recipe(path, schema, overrides)

    return loaded


def mistakes(load, text, *overrides):
    with pytest.raises(RecipeError) as caught:
        load(text, *overrides)
    assert caught.value.exit_code == 3
    return str(caught.value).splitlines()


def test_all_mistakes_are_listed_at_once_with_line_key_and_advice(load):
    text = """\
name: x
pears: {kind: glyphs}
pairs: {kind: glyphs, limt: 64}
model: {kind: open_clip, name: RN50, heads: {proto: {kind: mlp, hidden: wide}}}
objectives:
  clip: {kind: info_nec}
  seed: {kind: seed,
         queue: 0}
batch: {size: 1}
optimizer: {lr: fast}
"""
    first, *lines = mistakes(load, text)
    assert first.endswith("r.yaml is not a valid recipe")
    assert [re.sub(r"^(  \S+ \S+).*?((; did.*)?)$", r"\1\2", line) for line in lines] == [
        "  r.yaml:3: pairs.limt:; did you mean 'limit'?",
        "  r.yaml:4: model.heads.proto.hidden:",
        "  r.yaml:6: objectives.clip:; did you mean 'info_nce'?",
        "  r.yaml:8: objectives.seed.queue:",
        "  r.yaml:9: batch.size:",
        "  r.yaml:10: optimizer.lr:",
        "  r.yaml:2: pears:; did you mean 'pairs'?",
    ]


def test_a_missing_key_is_said_to_be_missing(load):
    lines = mistakes(load, "name: x\n")
    assert "  r.yaml: pairs: this key is missing" in lines
    assert "  r.yaml: model: this key is missing" in lines
    assert "  r.yaml: objectives: this key is missing" in lines


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("objectives.clip.first_episode=1", "no objective is active in episode 0"),
        ("towers={image: {last_episode: 0}, text: {last_episode: 0}}", None),
        ("objectives.s={kind: seed, teacher: bank}", "objectives.s reads a teacher"),
        ("batch.accumulate=3", "batch.size 32 is no multiple of batch.accumulate 3"),
        ("batch.size=0", "batch.size"),
        (
            "objectives.s={kind: seed, queue: 100}",
            "queue 100 is no multiple of a batch of 32; take 96 or 128",
        ),
        (
            "objectives.s={kind: compress, queue: 8}",
            "objectives.s: queue 8 is no multiple of",
        ),
        ("episodes.rows=some", "episodes.rows"),
        ("name=''", "name"),
        ('name="a\\nb"', "one printable line"),
        ("name='  '", "one printable line"),
        ("pairs.max_bad_fraction=1.5", "pairs.max_bad_fraction"),
        ("optimizer.lr=.inf", "optimizer.lr"),
        ("optimizer.lr=-1e-4", "optimizer.lr"),
        ("trackers=[tensorbord]", "tensorboard"),
        ("pairs={kind: glyphs, faces: [DejaVuSan]}", "did you mean 'DejaVuSans'"),
        ("model.kind=timm", "unknown kind 'timm'"),
    ],
)
def test_what_cannot_be_run_is_refused_before_it_runs(override, words, load):
    if words is None:
        load(SMALL, override)
        words, override = "no tower learns in episode 1", override.replace("}}", "}}")
        lines = mistakes(load, SMALL, override, "episodes.count=2")
    else:
        lines = mistakes(load, SMALL, override)
    assert words in "\n".join(lines[1:])


def test_dropout_of_a_tower_that_stands_still_is_refused(load):
    dropping = "objectives.cse={kind: simcse}", "towers={text: {last_episode: 0}}"
    load(SMALL, *dropping, "episodes.count=1")
    (line,) = mistakes(load, SMALL, *dropping, "episodes.count=3")[1:]
    assert (
        "objectives.cse compares what dropout leaves, and the text tower, which does not learn in episode 1"
        in line
    )
    load(SMALL, "objectives.cse={kind: simcse, last_episode: 0}", dropping[1], "episodes.count=3")


@pytest.mark.parametrize("text", ["", "3\n", "- a\n", "just words\n"])
def test_a_file_that_is_no_mapping_is_no_recipe(text, load):
    with pytest.raises(RecipeError, match="is not a recipe: it should be keys with values"):
        load(text)


def test_keys_that_are_no_text_are_refused(load):
    assert "  r.yaml: 3: Keys should be strings" in mistakes(load, SMALL + "3: x\n")


def test_a_file_that_is_not_there_or_not_text(tmp_path):
    with pytest.raises(RecipeError, match=r"cannot read .*none\.yaml"):
        load_recipe(tmp_path / "none.yaml", TrainRecipe)
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RecipeError, match=r"cannot read .*binary\.yaml"):
        load_recipe(tmp_path / "binary.yaml", TrainRecipe)


def test_overrides_change_what_is_there_and_add_what_is_not(load):
    recipe = load(
        SMALL,
        "optimizer.lr=1e-4",
        "batch.size=16",
        "batch.size=8",
        "objectives.clip.temperature=5e-2",
        "evaluate.tasks.zero_shot.benchmarks=[glyphs_digits, digits]",
        "evaluate.tasks.zero_shot.benchmarks.1=glyphs_lower",
        "trackers=[tensorboard]",
        "name=a=b",
        "validation={pairs: {kind: glyphs, split: held_out}}",
        "pairs.limit=",
    )
    assert recipe.optimizer.lr == 1e-4
    assert recipe.batch.size == 8
    assert recipe.objectives["clip"].temperature == 0.05
    assert recipe.evaluate.tasks["zero_shot"].benchmarks == ["glyphs_digits", "glyphs_lower"]
    assert recipe.trackers == ["tensorboard"]
    assert recipe.name == "a=b"
    assert recipe.validation.pairs.split == "held_out"
    assert recipe.pairs.limit is None


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("batch.size", r"--set batch\.size has no value"),
        ("=3", r"--set =3 has no value"),
        ("name.first=x", r"'name' has the value 'small' and no keys"),
        ("batch.size=[1", r"the value is not valid YAML"),
        ("evaluate.tasks.2=x", r"'2' is not a place in a list of 2"),
        ("evaluate.tasks.one=x", r"'one' is not a place in a list of 2"),
    ],
)
def test_an_override_that_cannot_be_applied_says_so(override, words, load):
    with pytest.raises(RecipeError, match=words):
        load(SMALL + "evaluate: {tasks: [zero_shot, retrieval]}\n", override)


def test_a_resolved_recipe_reads_back_as_the_same_object(load, tmp_path):
    recipe = load(
        SMALL,
        "name='tea[glove]_stu[RN50] é 🐕: #x'",
        "objectives.s={kind: seed, first_episode: 1, queue: 64}",
        "evaluate.tasks={zero_shot: {benchmarks: [digits]}, mine: {kind: retrieval, every: 2}}",
        "validation.pairs={kind: glyphs, split: held_out, faces: [DejaVuSerif]}",
        "model.heads.proto={hidden: 8}",
        "optimizer.eps=1e-8",
    )
    save_recipe(recipe, tmp_path / "saved.yaml")
    again = load_recipe(tmp_path / "saved.yaml", TrainRecipe)
    assert again == recipe
    assert again.resolved() == recipe.resolved()
    assert list(again.objectives) == ["clip", "s"]
    assert type(again.objectives["s"]) is type(recipe.objectives["s"])
    assert difference(recipe.resolved(), again.resolved()) == []
    assert set(yaml.safe_load((tmp_path / "saved.yaml").read_text())) == set(TrainRecipe.model_fields)


def test_every_change_is_a_line():
    before = {"a": {"b": 1, "gone": 2}, "c": [1, 2], "same": {"x": 0}}
    after = {"a": {"b": 3}, "c": [1], "same": {"x": 0}, "new": {"y": None, "z": 5}}
    assert difference(before, after) == [
        "a.b: 1 -> 3",
        "a.gone: 2 -> None",
        "c: [1, 2] -> [1]",
        "new: None -> {'y': None, 'z': 5}",
    ]


def test_probes_may_be_a_list_or_a_mapping_and_run_when_they_are_due(load):
    recipe = load("tasks: [zero_shot]\n", schema=EvaluateRecipe)
    assert recipe.tasks["zero_shot"].kind == "zero_shot"
    recipe = load("every: 2\ntasks: {a: {kind: zero_shot, every: 3}, retrieval: }\n", schema=EvaluateRecipe)
    due = [sorted(recipe.due(episode, 7)) for episode in range(7)]
    assert due == [[], ["retrieval"], ["a"], ["retrieval"], [], ["a", "retrieval"], ["a", "retrieval"]]


PROTO = """\
name: x
pairs: {kind: glyphs}
model: {kind: open_clip, name: glyphs-tiny, heads: {proto: {kind: mlp}, other: {kind: mlp}}}
episodes: {rows: 64}
prototypes: {k: 8}
teacher: {kind: lsa}
objectives:
  clip: {kind: info_nce}
  a: {kind: prototype_contrast, student: image, source: text}
  b: {kind: prototype_contrast, student: text, source: teacher}
batch: {size: 32}
"""


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("prototypes=null", "objectives.a reads prototypes, and the recipe does not say how to make them"),
        ("prototypes.k=1", "greater than 1"),
        ("prototypes.k=65", "prototypes.k 65 is more than the 64 rows of an episode"),
        ("prototypes.k={text: 8}", "prototypes.k says nothing of teacher, which objectives read"),
        ("prototypes.k={text: 8, teacher: 65}", "prototypes.k 65 is more than the 64 rows of an episode"),
        ("prototypes.k={txet: 8, teacher: 8}", "prototypes.k"),
        ("prototypes.look=cleen", "'train_view' or 'clean'"),
        ("prototypes.evry=2", "did you mean 'every'?"),
        ("teacher=null", "objectives.b reads a teacher, and the recipe has none; add for example `teacher:"),
        ("objectives.b.weight=1", None),
        ("objectives.b.source=image", "teacher is given, and no objective reads it"),
        ("objectives.b.back_translation=false", "back_translation must stay on"),
        ("objectives.b.head=other", "objectives that read prototypes must read the same head"),
        ("objectives.b.head=proot", "objectives.b reads the head 'proot', which model.heads does not have"),
        ("objectives={clip: {kind: info_nce}}", "prototypes is given, and no objective reads any"),
        ("teacher={}", "needs a `bank` (a folder), or a `kind`, one of "),
        ("teacher={kind: lsi}", "unknown kind 'lsi'; did you mean 'lsa'?"),
        ("teacher={bank: x, uncheckd: true}", "did you mean 'unchecked'?"),
    ],
)
def test_prototypes_and_teachers_that_do_not_fit_are_refused_before_they_run(override, words, load):
    if words is None:
        assert load(PROTO, override).clustered_head == "proto"
        return
    assert words in "\n".join(mistakes(load, PROTO, override)[1:])


def test_the_number_of_clusters_may_differ_by_source(load):
    spec = load(PROTO, "prototypes.k={text: 8, teacher: 4}").prototypes
    assert (spec.k_of("text"), spec.k_of("teacher"), spec.largest_k) == (8, 4, 8)
    spec = load(PROTO).prototypes
    assert (spec.k_of("text"), spec.k_of("teacher"), spec.largest_k) == (8, 8, 8)
