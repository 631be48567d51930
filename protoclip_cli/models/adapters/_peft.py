"""The one place that calls peft."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from torch import nn

from protoclip_cli.core.errors import MissingExtra, ProtoclipError, RecipeError
from protoclip_cli.core.quiet import quiet

_ATTENTION_WEIGHT = "in_proj_weight"


def peft() -> Any:
    """The library.

    Raises:
        MissingExtra: it is not installed.
    """
    if importlib.util.find_spec("peft") is None:
        raise MissingExtra("adapters need peft", hint="pip install 'protoclip[adapters]'")
    with silently():
        import peft as library
    return library


@contextmanager
def silently() -> Iterator[None]:
    """Keep peft's warnings and log lines off the screen."""
    with quiet(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def inject(config: Any, root: nn.Module, targets: Sequence[str], kind: str) -> None:
    """Put adapters in place of modules, around them.

    peft sees the targets alone, in a shell: it then adapts these and no others, whatever their names, and
    leaves no marks on the tower. Of an `nn.MultiheadAttention` it adapts the weight of queries, keys and
    values as a parameter. (peft's own layer for that module adds and subtracts the adapter in every pass, so
    that rounding slowly changes the frozen weights.)

    Raises:
        RecipeError: peft refuses.
    """
    shell = nn.ModuleDict({str(place): root.get_submodule(name) for place, name in enumerate(targets)})
    attentions = [place for place, module in shell.items() if isinstance(module, nn.MultiheadAttention)]
    config.target_modules = [place for place in shell if place not in attentions]
    if attentions:
        config.target_parameters = [f"{place}.{_ATTENTION_WEIGHT}" for place in attentions]
    try:
        with silently():
            peft().inject_adapter_in_model(config, shell)
    except (ValueError, TypeError, RuntimeError) as error:
        first = str(error).strip().splitlines()[0]
        raise RecipeError(f"adapter {kind}: peft cannot adapt {targets[0]}: {first}") from error
    for place, name in enumerate(targets):
        parent, _, child = name.rpartition(".")
        setattr(root.get_submodule(parent), child, shell[str(place)])


def take_up(root: nn.Module) -> None:
    """Add what injected adapters have learned to the weights they stand beside, and remove them.

    Raises:
        ProtoclipError: the sum is not finite.
    """
    layer = peft().tuners.tuners_utils.BaseTunerLayer
    found = [(name, module) for name, module in root.named_modules() if isinstance(module, layer)]
    for name, module in found:
        parent, _, child = name.rpartition(".")
        try:
            with silently():
                module.merge(safe_merge=True)
        except ValueError:
            raise ProtoclipError(
                f"the adapter at {name} is not finite", hint="export an earlier checkpoint"
            ) from None
        setattr(root.get_submodule(parent), child, module.get_base_layer())
