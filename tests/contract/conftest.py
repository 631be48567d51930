"""What an objective is given in a step."""

from collections.abc import Callable

import pytest
import torch

from protoclip_cli.core.needs import Needs
from protoclip_cli.core.types import Features, Frozen, NextTokens, Prototypes, StepInputs


@pytest.fixture
def step_inputs() -> Callable[..., StepInputs]:
    """Exactly what `needs` names, and nothing else: random, with gradients where a tower made it."""

    def build(
        needs: Needs,
        rows: int = 6,
        width: int = 16,
        dtype: torch.dtype = torch.float32,
        own: slice | None = None,
    ) -> StepInputs:
        chance = torch.Generator().manual_seed(3)

        def some(columns: int = width) -> torch.Tensor:
            return torch.randn(rows, columns, generator=chance).to(dtype).requires_grad_()

        def side(views: int) -> tuple[Features, ...]:
            return tuple(
                Features(some(), {head: some(8) for head in sorted(needs.heads)}) for _ in range(views)
            )

        def board() -> Prototypes:
            centroids, source = (torch.randn(4, columns, generator=chance).to(dtype) for columns in (8, 5))
            return Prototypes(centroids, torch.arange(rows) % 4, source)

        def detached(views: int) -> tuple[Features, ...]:
            return tuple(
                Features(f.embedding.detach(), {name: head.detach() for name, head in f.heads.items()})
                for f in side(views)
            )

        def next_tokens(own: slice) -> NextTokens:
            logits = torch.randn(rows, 5, 7, generator=chance).to(dtype)[own].requires_grad_()
            targets = torch.arange(rows * 5).reshape(rows, 5) % 8 - 1
            targets = torch.where(targets < 0, -100, targets)
            return NextTokens(logits, targets[own], (targets >= 0).sum() * (own.stop - own.start) / rows)

        return StepInputs(
            image=side(needs.image_views),
            text=side(needs.text_views),
            own=own or slice(0, rows),
            teacher=some().detach() if needs.teacher else None,
            prototypes={name: board() for name in sorted(needs.prototypes)},
            labels=torch.arange(rows) % 3 - 1 if needs.labels else None,
            momentum_image=detached(needs.image_views if needs.momentum else 0),
            momentum_text=detached(needs.text_views if needs.momentum else 0),
            frozen=Frozen(some().detach(), some().detach(), torch.tensor(5.0)) if needs.frozen else None,
            next_tokens=next_tokens(slice(0, rows) if own is None else own) if needs.token_logits else None,
        )

    return build
