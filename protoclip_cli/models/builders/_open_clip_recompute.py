"""Gradient checkpointing of open_clip's models, each tower in its way or refused."""

from __future__ import annotations

from typing import Any

from protoclip_cli.core.errors import RecipeError
from protoclip_cli.models.recompute import has_norms, recompute_stages


def checkpoint_gradients(clip: Any) -> None:
    """Let a model compute activations again in the backward pass.

    open_clip's own switch does nothing for residual networks, warns where timm cannot, and lets batch norms
    count a batch twice; those are done here.

    Raises:
        RecipeError: a tower cannot.
    """
    _image(clip.visual)
    texts = [clip] if hasattr(clip, "transformer") else [clip.text, getattr(clip, "text_decoder", None)]
    for text in texts:
        if text is not None:
            _text(text)


def _image(visual: Any) -> None:
    network = getattr(visual, "trunk", visual)
    if has_norms(network):
        if not recompute_stages(network):
            raise _refused("image")
        return
    try:
        network.set_grad_checkpointing(True)
    except (AttributeError, AssertionError, NotImplementedError, ValueError):
        raise _refused("image") from None


def _text(text: Any) -> None:
    transformer = getattr(text, "transformer", text)
    if hasattr(transformer, "grad_checkpointing"):
        transformer.grad_checkpointing = True
        return
    try:
        transformer.gradient_checkpointing_enable({"use_reentrant": False})
    except (AttributeError, ValueError, TypeError):
        raise _refused("text") from None


def _refused(side: str) -> RecipeError:
    return RecipeError(
        f"this {side} tower cannot compute its activations again (compute.grad_checkpointing)",
        hint="leave compute.grad_checkpointing out; batch.accumulate saves memory too",
    )
