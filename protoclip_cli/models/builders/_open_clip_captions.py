"""open_clip's models that also write captions (CoCa)."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from protoclip_cli.models.builders._open_clip_towers import OpenClipTowers
from protoclip_cli.models.towers import Tokenizer
from protoclip_cli.models.vocabulary import UsedVocabulary


class CaptioningTowers(OpenClipTowers):
    """A CoCa. Its decoder reads the tokens of both towers, and belongs to the text side."""

    def __init__(
        self, clip: nn.Module, model_cfg: dict[str, Any], tokenizer: Tokenizer, *, weights: bool
    ) -> None:
        super().__init__(clip, model_cfg, tokenizer, weights=weights)
        # A text tower that sees the whole text, as in coca_roberta, would tell the decoder what to say.
        self.says_next_tokens = getattr(clip.text, "attn_mask", None) is not None
        if not weights:
            # open_clip 3.3 leaves this matrix as it finds the memory.
            projection: Tensor = clip.text_decoder.text_projection  # type: ignore[union-attr, assignment]
            nn.init.normal_(projection, std=projection.shape[0] ** -0.5)

    def with_next_tokens(self, pixels: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Embed pairs, and say each next token."""
        if not self.says_next_tokens:
            return super().with_next_tokens(pixels, tokens)
        clip: Any = self.clip
        image, seen = clip._encode_image(pixels, normalize=False)
        text, read = clip._encode_text(tokens, normalize=False)
        targets, table = next_tokens(tokens, self.pad), clip.text.token_embedding
        if isinstance(table, UsedVocabulary):
            targets = table.places(targets)
        return image, text, clip.text_decoder(seen, read[:, :-1]), targets


def next_tokens(tokens: Tensor, pad: int) -> Tensor:
    """What comes after each token of a text but the last.

    Only padding behind the end counts as such: padding has the number of a `!` before another mark.

    Args:
        tokens: (b, L), long.
        pad: the token that fills up short texts.

    Returns:
        (b, L - 1), long; -100 where padding follows.

    >>> import torch
    >>> next_tokens(torch.tensor([[7, 0, 5, 9, 0, 0]]), pad=0).tolist()
    [[0, 5, 9, -100, -100]]
    """
    following = tokens[:, 1:]
    behind_the_end = (following != pad).flip(1).cumsum(dim=1).flip(1) == 0
    return following.masked_fill(behind_the_end, -100)
