import pytest
import torch
from torch import nn

from protoclip_cli.evaluation.linear_head import HeadTraining, train_heads


def made(n=70, width=6, classes=3, several=False):
    chance = torch.Generator().manual_seed(0)
    features = torch.randn(n, width, generator=chance, dtype=torch.float64)
    targets = torch.randint(0, classes, (n,), generator=chance)
    return features, nn.functional.one_hot(targets, classes).double() if several else targets


def by_torch(features, targets, classes, rate, decay, training):
    """The same training, by the layers and optimisers of torch."""
    layers = [nn.Linear(features.shape[1], classes)]
    if training.normalize == "batch":
        layers.insert(0, nn.BatchNorm1d(features.shape[1], affine=False))
    model = nn.Sequential(*layers).double()
    nn.init.zeros_(layers[-1].weight)
    nn.init.zeros_(layers[-1].bias)
    if training.optimizer == "adamw":
        optimizer = torch.optim.AdamW(model.parameters(), rate, weight_decay=decay)
    else:
        optimizer = torch.optim.SGD(model.parameters(), rate, momentum=0.9, weight_decay=decay)
    count = -(-len(features) // training.batch)
    steps = count * training.epochs if training.schedule == "cosine_steps" else training.epochs
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    loss_of = nn.BCEWithLogitsLoss() if targets.ndim == 2 else nn.CrossEntropyLoss()
    if training.normalize == "unit":
        features = nn.functional.normalize(features, dim=1)
    for _ in range(training.epochs):
        for inputs, wanted in zip(features.split(training.batch), targets.split(training.batch), strict=True):
            if len(inputs) > 1 or training.normalize != "batch":
                optimizer.zero_grad()
                loss_of(model(inputs), wanted).backward()
                optimizer.step()
            if training.schedule == "cosine_steps":
                schedule.step()
        if training.schedule == "cosine_epochs":
            schedule.step()
    with torch.no_grad():
        return model.eval()(features)


@pytest.mark.parametrize("several", [False, True])
@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
@pytest.mark.parametrize("schedule", ["constant", "cosine_epochs", "cosine_steps"])
@pytest.mark.parametrize("normalize", ["none", "unit", "batch"])
def test_every_head_of_a_stack_is_trained_as_torch_would(several, optimizer, schedule, normalize):
    features, targets = made(several=several)
    training = HeadTraining(
        optimizer=optimizer, epochs=3, batch=23, shuffle=False, schedule=schedule, normalize=normalize
    )
    settings = [(0.1, 0.0), (0.02, 0.3)]
    rates, decays = zip(*settings, strict=True)
    start = torch.zeros(3, 6)
    *_, heads = train_heads(features, targets, 3, rates, decays, training, seed=0, first_weight=start)
    for head, (rate, decay) in enumerate(settings):
        expected = by_torch(features, targets, 3, rate, decay, training)
        assert torch.allclose(heads.scores(features, head), expected, atol=1e-9)


def test_a_last_batch_of_one_row_has_no_variance_and_is_left_out():
    features, targets = made(n=24)
    training = HeadTraining(epochs=2, batch=23, shuffle=False, schedule="constant", normalize="batch")
    start = torch.zeros(3, 6)
    *_, heads = train_heads(features, targets, 3, [0.1], [0.0], training, seed=0, first_weight=start)
    expected = by_torch(features, targets, 3, 0.1, 0.0, training)
    assert torch.allclose(heads.scores(features), expected, atol=1e-9)


@pytest.mark.parametrize("start", ["normal", "torch"])
def test_the_seed_decides_start_and_batches(start):
    features, targets = made()
    training = HeadTraining(epochs=2, batch=16, shuffle=True, schedule="constant", start=start)

    def weight(seed):
        *_, heads = train_heads(features, targets, 3, [0.1], [0.0], training, seed=seed)
        return heads.weight

    assert torch.equal(weight(1), weight(1))
    assert not torch.equal(weight(1), weight(2))
