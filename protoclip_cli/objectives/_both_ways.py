"""The similarities of images to texts and of texts to images."""

from __future__ import annotations

from torch import Tensor


def both_ways(
    image: Tensor, text: Tensor, scale: Tensor, own: slice = slice(None), column_gradient: bool = True
) -> tuple[Tensor, Tensor]:
    """The logits of the own images over all texts, and of the own texts over all images.

    Never (B, B) where the own rows are fewer. Where they are all, the second is the first, turned.

    Args:
        image: (B, D), unit length.
        text: (B, D), unit length. Row i belongs to image i.
        scale: scalar, the inverse temperature.
        own: the rows this process computes; all by default.
        column_gradient: False: no gradient reaches what rows are compared with.

    Returns:
        (b, B) and (b, B).

    >>> import torch
    >>> by_image, by_text = both_ways(torch.eye(2), torch.eye(2).flip(0), torch.tensor(5.0), slice(0, 1))
    >>> by_image.tolist(), by_text.tolist()
    ([[0.0, 5.0]], [[0.0, 5.0]])
    """
    columns = (text, image) if column_gradient else (text.detach(), image.detach())
    by_image = scale * image[own] @ columns[0].T
    if column_gradient and len(by_image) == len(text):
        return by_image, by_image.T
    return by_image, scale * text[own] @ columns[1].T
