import pytest
import torch

from protoclip_cli.models.by_length import _GROUP_ROWS, by_length


def texts(count, width=16, pad=0):
    """Random tokens of random lengths, some empty and some full."""
    tokens = torch.randint(1, 50, (count, width))
    lengths = torch.randint(0, width + 1, (count,))
    lengths[0], lengths[-1] = 0, width
    tokens[torch.arange(width)[None] >= lengths[:, None]] = pad
    return tokens


@pytest.mark.parametrize("count", [1, 64, 127, 128, 200, 321])
def test_rows_keep_their_places(count):
    tokens = texts(count)
    seen = []

    def tower(part):
        seen.append(tuple(part.shape))
        return torch.stack([part.sum(1), (part > 0).sum(1)], 1).float()

    assert torch.equal(by_length(tower, tokens, 0), tower(tokens))
    groups = seen[:-1]
    assert sum(rows for rows, _ in groups) == count
    assert [width for _, width in groups] == sorted(width for _, width in groups)
    assert len(groups) == max(count // _GROUP_ROWS, 1)


def test_a_text_is_never_cut_though_it_may_hold_the_pad_inside():
    tokens = texts(200)
    tokens[3, :6] = torch.tensor([5, 0, 0, 0, 0, 9])

    def tower(part):
        return part.sum(1, keepdim=True).float()

    assert torch.equal(by_length(tower, tokens, 0), tower(tokens))


@pytest.mark.parametrize("name", ["test-flat", "test-custom"])
def test_a_real_tower_gives_the_same_features_and_gradients(name, build):
    words = ["a", "dog", "cat", "two", "of", "the", "very", "small", "house", ","]
    captions = [" ".join(words[: 1 + i % len(words)]) for i in range(150)]
    towers = build(name).towers.double()
    tokens = towers.tokenizer(captions)

    def run(encode):
        towers.zero_grad()
        found = encode(tokens)
        found.square().sum().backward()
        return found.detach(), [p.grad.clone() for p in towers.parameters() if p.grad is not None]

    plain, plain_gradients = run(towers.clip.encode_text)
    grouped, gradients = run(towers.text)
    torch.testing.assert_close(grouped, plain, rtol=1e-8, atol=1e-10)
    for a, b in zip(gradients, plain_gradients, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-8, atol=1e-10)
