"""Files of weights: of the original ProtoCLIP, of OpenCLIP, and of something else."""

import json

import pytest
import torch

from protoclip_cli.core.errors import DataError, UsageError
from protoclip_cli.core.types import Modality
from protoclip_cli.evaluation.subjects.weights_file import open_weights_file
from protoclip_cli.models.builders.open_clip import OpenClipSpec
from protoclip_cli.models.dual_encoder import DualEncoder
from protoclip_cli.models.heads import HEADS

CONFIG = {
    "embed_dim": 8,
    "vision_cfg": {"image_size": 32, "layers": [1, 1, 1, 1], "width": 4},
    "text_cfg": {"context_length": 12, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1},
}


@pytest.fixture(scope="module")
def architecture(tmp_path_factory):
    path = tmp_path_factory.mktemp("architecture") / "small-clip.json"
    path.write_text(json.dumps(CONFIG))
    return str(path)


@pytest.fixture(scope="module")
def towers():
    torch.manual_seed(3)
    return OpenClipSpec.rebuild({"model_cfg": CONFIG})


def head_of(layers):
    torch.manual_seed(layers)
    return HEADS.spec("mlp")(kind="mlp", layers=layers, hidden=6, dim=5).build(8)


def protoclip_file(path, towers, layers):
    """As the original saves it: wrapped for several processes, with heads and a second scale."""
    state = dict(towers.clip.state_dict())
    for side, head in (("image", head_of(layers)), ("text", head_of(layers))):
        state |= {f"{side}_projection_head.{name}": tensor for name, tensor in head.state_dict().items()}
    state["logit_scale_proto"] = torch.tensor(2.6)
    whole = {f"module.{name}": tensor for name, tensor in state.items()}
    torch.save({"epoch": 8, "name": "x", "state_dict": whole, "optimizer": {"state": {}}}, path)
    return path


@pytest.mark.parametrize("layers", [0, 1, 2])
def test_the_original_protoclip_with_its_heads_and_its_activation(tmp_path, towers, architecture, layers):
    notes = []
    path = protoclip_file(tmp_path / "epoch_8.pt", towers, layers)
    model = open_weights_file(path, architecture, notes.append).model.eval()
    quick = OpenClipSpec.rebuild({"model_cfg": {**CONFIG, "quick_gelu": True}})
    quick.load_state_dict(towers.state_dict())
    tokens = quick.tokenizer(["a cat", "two dogs"])
    with torch.no_grad():
        embedding = quick.eval().text(tokens)
        found = model(Modality.TEXT, tokens, ["proto"])
        torch.testing.assert_close(found.embedding, embedding)
        torch.testing.assert_close(found.heads["proto"], head_of(layers).eval()(embedding))
        assert not torch.allclose(towers.eval().text(tokens), embedding, atol=1e-4)
    assert "QuickGELU is used" in notes[0]


def test_a_file_of_open_clip_is_as_its_architecture_says(tmp_path, towers, architecture):
    notes = []
    state = dict(towers.clip.state_dict()) | {"logit_scale": torch.tensor([4.0])}  # with a dimension
    torch.save(state, tmp_path / "w.pt")
    model = open_weights_file(tmp_path / "w.pt", architecture, notes.append).model.eval()
    tokens = towers.tokenizer(["a cat"])
    with torch.no_grad():
        torch.testing.assert_close(model(Modality.TEXT, tokens).embedding, towers.eval().text(tokens))
    assert model.towers.scale is None or model.towers.clip.logit_scale.item() == 4.0
    assert model.head_specs == {}
    assert "plain GELU" in notes[0]


def test_the_settings_beside_the_originals_checkpoints_name_the_architecture(tmp_path, towers, architecture):
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "params.txt").write_text(f"lr: 0.0005\nmodel: {architecture}\nname: x\n")
    path = protoclip_file(tmp_path / "checkpoints" / "epoch_8.pt", towers, 1)
    assert isinstance(open_weights_file(path, None, lambda _: None).model, DualEncoder)
    (tmp_path / "params.txt").unlink()
    with pytest.raises(UsageError, match="does not say of which architecture") as error:
        open_weights_file(path, None, lambda _: None)
    assert "--model" in error.value.hint


def test_a_file_of_another_architecture_says_which_tensors_do_not_fit(tmp_path, towers, architecture):
    state = dict(towers.clip.state_dict())
    state["visual.conv1.weight"] = torch.zeros(9, 3, 3, 3)
    state["something.else"] = torch.zeros(1)
    del state["text_projection"]
    torch.save(state, tmp_path / "w.pt")
    with pytest.raises(DataError) as error:
        open_weights_file(tmp_path / "w.pt", architecture, lambda _: None)
    message = str(error.value)
    assert "1 tensors missing (text_projection)" in message
    assert "1 tensors unknown (something.else)" in message
    assert "visual.conv1.weight (9, 3, 3, 3) instead of (2, 3, 3, 3)" in message
    assert "--model" in error.value.hint
