import pytest
import torch
from torch import nn

from protoclip_cli.models.vocabulary import UsedVocabulary, keep_used_vocabulary

USED = torch.tensor([0, 3, 7])


@pytest.fixture
def full():
    return nn.Embedding(10, 4)


@pytest.fixture
def module(full):
    return UsedVocabulary(full, USED)


def test_tokens_mean_what_they_meant(full, module):
    tokens = torch.tensor([[3, 7, 0], [0, 0, 3]])
    assert torch.equal(module.train()(tokens), full(tokens))
    everything = torch.arange(10)[None]
    assert torch.equal(module.eval()(everything), full(everything))


def test_only_the_tokens_in_use_learn(module):
    assert [tuple(p.shape) for p in module.parameters()] == [(3, 4)]
    module.train()(torch.tensor([[3, 3, 7]])).sum().backward()
    assert module.weight.grad.tolist() == [[0] * 4, [2] * 4, [1] * 4]


def test_an_unseen_token_keeps_its_first_meaning_in_evaluation(full, module):
    with torch.no_grad():
        module.weight += 1
    found = module.eval()(torch.tensor([5, 7]))
    assert torch.equal(found, torch.stack([full.weight[5], full.weight[7] + 1]))


def test_it_saves_the_full_table(full, module):
    with torch.no_grad():
        module.weight += 1
    saved = module.state_dict()
    assert list(saved) == ["weight"]
    want = full.weight.detach().clone()
    want[USED] += 1
    assert torch.equal(saved["weight"], want)


def test_a_saved_table_fits_an_ordinary_embedding_and_any_other_vocabulary(full, module):
    with torch.no_grad():
        module.weight += 1
    full.load_state_dict(module.state_dict())
    other = UsedVocabulary(nn.Embedding(10, 4), torch.tensor([1, 7]))
    other.load_state_dict(module.state_dict())
    everything = torch.arange(10)[None]
    assert torch.equal(full(everything), module.eval()(everything))
    assert torch.equal(other.eval()(everything), full(everything))
    assert torch.equal(other.state_dict()["weight"], full.weight)


def test_loading_changes_the_parameter_in_place(module):
    before = module.weight
    state = {"weight": torch.arange(40.0).reshape(10, 4)}
    module.load_state_dict(state)
    assert module.weight is before
    assert torch.equal(before.detach(), state["weight"][USED])
    assert state["weight"].shape == (10, 4)


def test_a_table_of_another_size_is_refused(module):
    with pytest.raises(RuntimeError, match=r"must match the size|size mismatch"):
        module.load_state_dict({"weight": torch.zeros(11, 4)})


def test_it_is_put_into_a_tower_of_either_class(build):
    for name in ("test-flat", "test-custom"):
        model = build(name)
        tokens = model.towers.tokenizer(["a dog", "a cat"])
        before = model.towers.text(tokens)
        assert keep_used_vocabulary(model.towers, tokens.unique())
        assert torch.equal(model.towers.text(tokens), before)
        tables = [p for n, p in model.named_parameters() if "token_embedding" in n]
        assert [len(table) for table in tables] == [len(tokens.unique())]
    assert not keep_used_vocabulary(nn.Linear(2, 2), USED)
