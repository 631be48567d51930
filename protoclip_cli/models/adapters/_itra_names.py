"""The adapters that ITRA had from adapter-transformers, and what comes nearest to each here."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_BOTTLENECK = "peft has no bottleneck layers between the maps of a block"
NEAREST: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "houlsby": ("lora", _BOTTLENECK),
        "pfeiffer": ("lora", _BOTTLENECK),
        "parallel": ("lora", "peft has no bottleneck layers beside whole blocks, only beside single maps"),
        "houlsby+inv": ("lora", "peft has neither bottleneck layers nor invertible embeddings"),
        "pfeiffer+inv": ("lora", "peft has neither bottleneck layers nor invertible embeddings"),
        "compacter": ("lokr", "peft has Kronecker products beside single maps, not in bottlenecks"),
        "compacter++": ("lokr", "peft has Kronecker products beside single maps, not in bottlenecks"),
        "prefix_tuning_flat": ("prefix_tuning", "peft's prefix is flat always"),
        "mam": ("prefix_tuning", "peft cannot add parallel bottlenecks to a prefix"),
        "unipelt": ("lora", "peft has no gates between several adapters"),
    }
)
"""By ITRA's name: the nearest kind, and what is missing. `lora`, `ia3` and `prefix_tuning` keep theirs."""


def advice(kind: str) -> str | None:
    """What to use for a name of ITRA's; None for other names.

    >>> print(advice("compacter"), advice("lora"))  # doctest: +ELLIPSIS
    ITRA's 'compacter' has no counterpart: ...; the nearest is `kind: lokr` None
    """
    if kind not in NEAREST:
        return None
    nearest, why = NEAREST[kind]
    return f"ITRA's '{kind}' has no counterpart: {why}; the nearest is `kind: {nearest}`"
