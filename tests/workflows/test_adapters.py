"""A tower that learns by an adapter: trained, continued, exported."""

import open_clip
import pytest
import torch
from safetensors.torch import load_file

from protoclip_cli.core.errors import RecipeError, Stopped
from protoclip_cli.models.saved import load_model
from protoclip_cli.recipe.load import load_recipe
from protoclip_cli.recipe.train import TrainRecipe
from protoclip_cli.workflows.export import export, formats
from protoclip_cli.workflows.train import train

pytest.importorskip("peft")
ADAPTER = "model.adapters.text={kind: lora, rank: 2, train_also: ['ln_final.*']}"
FEW = ("episodes.count=1", "evaluate.tasks={}", "validation=null")


@pytest.fixture(scope="module")
def adapted(recipe_file, plain, tmp_path_factory):
    """A recipe with an adapter, and its run."""
    torch.set_num_threads(1)  # as `_one_thread`, which comes later than a fixture of the module
    folder = tmp_path_factory.mktemp("adapted")
    file = recipe_file(folder / "r.yaml", **plain)
    recipe = load_recipe(file, TrainRecipe, [ADAPTER, *FEW])
    train(recipe, run=folder / "run")
    return recipe, folder / "run"


def weights(run):
    return load_file(run / "checkpoints/last/model.safetensors")


def test_the_adapter_and_what_is_named_learn_and_the_tower_does_not(adapted, tiny):
    _, run = adapted
    saved, start = weights(run), load_file(tiny / "open_clip_model.safetensors")
    text = {name for name in start if not name.startswith(("visual.", "logit"))}
    renamed = {name.replace(".base_layer", ""): tensor for name, tensor in saved.items()}
    changed = {name for name in text if not torch.equal(renamed[name], start[name])}
    assert changed == {"ln_final.weight", "ln_final.bias"}
    assert all(tensor.any() for name, tensor in saved.items() if "lora_B" in name)
    assert sum("lora_B" in name for name in saved) == 3


def test_it_goes_on_to_the_last_bit(adapted, signal_after, tmp_path):
    recipe, run = adapted
    with signal_after(2), pytest.raises(Stopped):
        train(recipe, run=tmp_path / "run")
    train(recipe, run=tmp_path / "run", resume=True)
    one, two = weights(run), weights(tmp_path / "run")
    assert one.keys() == two.keys()
    assert [name for name in one if not torch.equal(one[name], two[name])] == []


def test_an_export_has_the_features_of_the_tower_with_its_adapter(adapted, heard, tmp_path):
    _, run = adapted
    reporter = heard()
    assert formats(str(run))["open_clip"] is None
    export(str(run), "open_clip", tmp_path / "out", reporter=reporter)
    assert "adapters are merged into the plain weights: text lora" in reporter.notes
    model = load_model(run / "checkpoints/last").eval()
    theirs = open_clip.create_model(f"local-dir:{tmp_path / 'out'}").eval()
    tokens = model.towers.tokenizer(["a dog", "two letters"])
    with torch.no_grad():
        torch.testing.assert_close(theirs.encode_text(tokens), model.towers.text(tokens), rtol=0, atol=1e-5)


def test_a_run_with_adapters_cannot_be_a_start_before_it_is_merged(adapted, recipe_file, plain, tmp_path):
    _, run = adapted
    file = recipe_file(tmp_path / "r.yaml", **plain)
    sets = ["model.name=test-tiny", f"model.pretrained={run}", *FEW]
    with pytest.raises(RecipeError, match="has adapters beside its weights"):
        train(load_recipe(file, TrainRecipe, sets), run=tmp_path / "run")


def test_an_adapter_and_a_lock_are_one_too_many(recipe_file, plain, tmp_path):
    file = recipe_file(tmp_path / "r.yaml", **plain)
    with pytest.raises(RecipeError, match="an adapter freezes its tower"):
        load_recipe(file, TrainRecipe, [ADAPTER, "towers.text.lock=true"])
