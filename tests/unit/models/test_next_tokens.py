"""Towers that write: a small CoCa of open_clip's."""

import json

import open_clip
import pytest
import torch
import torch.nn.functional as F

from protoclip_cli.core.errors import RecipeError
from protoclip_cli.core.types import Modality
from protoclip_cli.models.builders import BUILDERS
from protoclip_cli.models.builders._open_clip_captions import next_tokens
from protoclip_cli.models.vocabulary import keep_used_vocabulary

TEXT = {"context_length": 12, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1}
COCA = {
    "embed_dim": 16,
    "custom_text": True,
    "vision_cfg": {
        "image_size": 16,
        "layers": 1,
        "width": 16,
        "head_width": 8,
        "patch_size": 8,
        "attentional_pool": True,
        "attn_pooler_queries": 4,
        "attn_pooler_heads": 2,
        "output_tokens": True,
    },
    "text_cfg": {**TEXT, "embed_cls": True, "output_tokens": True},
    "multimodal_cfg": {**TEXT, "attn_pooler_heads": 2},
}


@pytest.fixture
def coca(tmp_path):
    """`coca(**text)` builds towers from a file, after filling memory that open_clip may find."""

    def built(**text):
        file = tmp_path / "coca.json"
        file.write_text(json.dumps(COCA | {"text_cfg": COCA["text_cfg"] | text}))
        torch.manual_seed(0)
        return BUILDERS.spec("open_clip")(kind="open_clip", name=str(file)).build().eval()

    return built


@pytest.fixture
def pairs(coca):
    towers = coca()
    return towers, torch.randn(2, 3, 16, 16), towers.tokenizer(["you !% there", "a dog"])


def test_it_says_what_open_clips_own_model_says(pairs):
    towers, pixels, tokens = pairs
    image, text, logits, targets = towers.with_next_tokens(pixels, tokens)
    theirs = towers.clip(pixels, tokens)
    torch.testing.assert_close(F.normalize(image, dim=-1), theirs["image_features"])
    torch.testing.assert_close(F.normalize(text, dim=-1), theirs["text_features"])
    torch.testing.assert_close(logits, theirs["logits"])
    torch.testing.assert_close(image, towers.image(pixels))
    torch.testing.assert_close(text, towers.text(tokens))
    assert logits.shape == (*targets.shape, 49408)
    said = targets != -100
    torch.testing.assert_close(targets[said], theirs["labels"][said])


def test_an_exclamation_mark_is_said_and_padding_is_not(pairs):
    """open_clip's loss leaves both out: before another mark, `!` has the number of padding."""
    towers, pixels, tokens = pairs
    *_, targets = towers.with_next_tokens(pixels, tokens)
    mark, end = open_clip.tokenize("!%")[0, 1].item(), open_clip.tokenize("")[0, 1].item()
    assert mark == towers.pad == 0
    assert (targets == mark).sum(dim=1).tolist() == [1, 0]
    lengths = (targets != -100).sum(dim=1)
    assert lengths.tolist() == [5, 3]
    assert targets[[0, 1], lengths - 1].tolist() == [end, end]


def test_it_sees_the_image_and_what_came_before_and_nothing_else(pairs):
    towers, pixels, tokens = pairs
    logits = towers.with_next_tokens(pixels, tokens)[2]
    later = tokens.clone()
    later[:, 3] = 999
    changed = (towers.with_next_tokens(pixels, later)[2] - logits).abs().amax(dim=(0, 2)) > 1e-6
    assert changed.tolist() == [False] * 3 + [True] * (len(changed) - 3)
    assert not torch.allclose(towers.with_next_tokens(pixels.flip(0), tokens)[2], logits, atol=1e-4)


def test_with_the_used_vocabulary_it_chooses_among_the_tokens_in_use(pairs):
    towers, pixels, tokens = pairs
    *_, logits, targets = towers.with_next_tokens(pixels, tokens)
    used, before = tokens.unique(), towers.state_dict()
    assert keep_used_vocabulary(towers, used)
    *_, fewer, places = towers.train().with_next_tokens(pixels, tokens)
    torch.testing.assert_close(fewer, logits[..., used])
    assert torch.equal(places == -100, targets == -100)
    assert torch.equal(used[places[places >= 0]], targets[targets >= 0])
    after = towers.state_dict()
    assert after.keys() == before.keys()
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())
    *_, places = towers.eval().with_next_tokens(pixels, towers.tokenizer(["zebra", "a dog"]))
    assert (places[0] >= 0).sum() == 1  # of a word that is not in use there is nothing to say but its end
    assert (places[1] >= 0).sum() == 3


def test_what_a_decoder_of_used_tokens_learned_is_saved_among_all(pairs, coca):
    towers, pixels, tokens = pairs
    used, start = tokens.unique(), towers.clip.text_decoder.text_projection.detach().clone()
    keep_used_vocabulary(towers, used)
    with torch.no_grad():
        towers.clip.text_decoder.text_projection += 1
    saved = towers.state_dict()
    expected = start.clone()
    expected[:, used] += 1
    assert torch.equal(saved["clip.text_decoder.text_projection"], expected)
    plain, other = coca(), coca()
    plain.load_state_dict(saved)
    keep_used_vocabulary(other, torch.cat([used, torch.tensor([9])]).unique())
    other.load_state_dict(saved)
    assert torch.equal(other.state_dict()["clip.text_decoder.text_projection"], expected)
    *_, logits, _ = towers.with_next_tokens(pixels, tokens)
    torch.testing.assert_close(plain.with_next_tokens(pixels, tokens)[2][..., used], logits)


def test_it_starts_from_numbers_that_the_seed_knows(coca):
    first, second = coca(), coca()
    assert first.state_dict().keys() == second.state_dict().keys()
    for name, value in first.state_dict().items():
        assert torch.equal(value, second.state_dict()[name]), name
    projection = first.clip.text_decoder.text_projection
    assert projection.std().item() == pytest.approx(16**-0.5, rel=0.05)


def test_the_decoder_learns_with_the_text_side(pairs):
    towers, pixels, tokens = pairs
    assert not towers.is_image("clip.text_decoder.text_projection")
    logits, targets = towers.with_next_tokens(pixels, tokens)[2:]
    F.cross_entropy(logits.flatten(0, 1), targets.flatten()).backward()
    for name in ("visual.conv1", "text.token_embedding", "text_decoder.ln_final"):
        assert towers.clip.get_parameter(f"{name}.weight").grad.abs().sum() > 0


def test_a_text_tower_that_sees_the_whole_text_is_refused(coca):
    towers = coca(no_causal_mask=True)
    assert not towers.says_next_tokens
    with pytest.raises(RecipeError, match="says nothing of next tokens"):
        towers.with_next_tokens(torch.zeros(1, 3, 16, 16), towers.tokenizer(["a"]))


def test_other_towers_name_one_that_writes(build):
    towers = build("test-flat").towers
    assert not towers.says_next_tokens
    with pytest.raises(RecipeError, match="says nothing of next tokens") as caught:
        towers.with_next_tokens(torch.zeros(1, 3, 32, 32), towers.tokenizer(["a"]))
    assert "coca_ViT-B-32" in caught.value.hint


def test_open_clip_cannot_lock_a_coca_and_says_so(coca):
    with pytest.raises(RecipeError, match="cannot lock this image tower"):
        coca().locked(Modality.IMAGE, 0)


def test_a_text_that_fills_its_context_ends_without_padding():
    assert next_tokens(torch.tensor([[7, 8, 9]]), pad=0).tolist() == [[8, 9]]
