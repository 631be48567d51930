"""The adapters that ITRA had from adapter-transformers, and what comes nearest to each here."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_BOTTLENECK = "peft has no bottleneck layers between the maps of a block"
NEAREST: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "bottleneck_adapter": ("lora", _BOTTLENECK),
        "lang_adapter": ("lora", "peft has neither bottleneck layers nor invertible embeddings"),
        "dummy": ("lokr", "it was Compacter, and peft has Kronecker products beside single maps only"),
        "lora_adapter": ("lora", ""),
        "ia3_adapter": ("ia3", ""),
        "mam_adapter": ("prefix_tuning", "peft cannot add parallel bottlenecks to a prefix"),
        "unipelt": ("lora", "peft has no gates between several adapters"),
        "houlsby": ("lora", _BOTTLENECK),
        "pfeiffer": ("lora", _BOTTLENECK),
        "compacter": ("lokr", "peft has Kronecker products beside single maps, not in bottlenecks"),
    }
)
"""By ITRA's `--adapter`, and three of adapter-transformers' own names: the nearest kind, and what is missing;
nothing where it is the same method. `prefix_tuning` keeps its name.

https://github.com/ChenDelong1999/ITRA/blob/main/docs/models_architecture.md
"""


def advice(kind: str) -> str | None:
    """What to use for a name of ITRA's; None for other names.

    >>> print(advice("compacter"), advice("lora"))  # doctest: +ELLIPSIS
    ITRA's 'compacter' has no counterpart: ...; the nearest is `kind: lokr` None
    """
    if kind not in NEAREST:
        return None
    nearest, why = NEAREST[kind]
    if not why:
        return f"ITRA's '{kind}' is `kind: {nearest}` here"
    return f"ITRA's '{kind}' has no counterpart: {why}; the nearest is `kind: {nearest}`"
