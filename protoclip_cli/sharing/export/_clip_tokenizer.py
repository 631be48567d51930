"""CLIP's tokenizer in the files that transformers and tokenizers read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from protoclip_cli.models.dual_encoder import DualEncoder

START, END = "<|startoftext|>", "<|endoftext|>"
_NAMES = {"<start_of_text>": START, "<end_of_text>": END}


def is_clip_tokenizer(model: DualEncoder) -> bool:
    """Whether a model's tokenizer is CLIP's as it came."""
    tokenizer: Any = model.towers.tokenizer
    ranks, words = getattr(tokenizer, "bpe_ranks", None), getattr(tokenizer, "encoder", {})
    return ranks is not None and not getattr(tokenizer, "reduction_fn", None) and len(words) == 49_408


def write_tokenizer(model: DualEncoder, folder: Path) -> None:
    """Write vocabulary, merges and settings.

    Short texts are filled up with the end token, as OpenAI's files on the hub say. open_clip takes token 0,
    which is "!" and as a special token would be cut out of texts. Features are those of the first end
    token, and a causal tower does not see what comes after it.

    Args:
        model: with CLIP's tokenizer.
        folder: where to.
    """
    tokenizer: Any = model.towers.tokenizer
    words = {_NAMES.get(word, word): number for word, number in tokenizer.encoder.items()}
    merges = [" ".join(pair) for pair in tokenizer.bpe_ranks]
    marks = {"bos_token": START, "eos_token": END, "unk_token": END, "pad_token": END}
    settings = {
        "tokenizer_class": "CLIPTokenizer",
        "model_max_length": model.towers.tokenizer.context_length,
        "do_lower_case": True,
        **marks,
    }
    (folder / "vocab.json").write_text(json.dumps(words, ensure_ascii=False), encoding="utf-8")
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n", encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")
    (folder / "special_tokens_map.json").write_text(json.dumps(marks, indent=2) + "\n", encoding="utf-8")
