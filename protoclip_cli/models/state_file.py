"""Files of weights that others have written, read without running what is in them."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

from torch import Tensor

from protoclip_cli.core.errors import DataError

_WRAPPERS = ("state_dict", "model", "model_state_dict")
_WRAPPED_BY = ("module.", "_orig_mod.")


def read_file(path: Path) -> dict[str, Any]:
    """What is in a `.safetensors` file or one that `torch.save` has written.

    Raises:
        DataError: it is damaged, holds more than plain values and tensors, or no mapping.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        if path.suffix == ".safetensors":
            return dict(load_file(path))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about old pickles, which are then read or refused
            content = torch.load(path, map_location="cpu", weights_only=True)
    except UnpicklingError as error:
        raise DataError(
            f"{path} is damaged or holds more than weights: {_first_line(error)}",
            hint="save its state_dict alone with torch.save; loading anything else could run code",
        ) from None
    except (OSError, SafetensorError, EOFError, RuntimeError, ValueError, KeyError) as error:
        raise DataError(f"cannot read the weights in {path}: {_first_line(error)}") from None
    if not isinstance(content, dict):
        raise DataError(f"{path} holds a {type(content).__name__} and no weights by name")
    return content


def tensors_of(content: Mapping[str, Any]) -> dict[str, Tensor]:
    """The weights in a file's content, whether they stand there alone or below a name of their own."""
    for wrapper in _WRAPPERS:
        if isinstance(content.get(wrapper), dict):
            return tensors_of(content[wrapper])
    return {name: value for name, value in content.items() if isinstance(value, Tensor)}


def read_state(path: Path) -> dict[str, Tensor]:
    """The weights in a file.

    Raises:
        DataError: there are none, or it is damaged.
    """
    if not (state := tensors_of(read_file(path))):
        raise DataError(f"{path} holds no weights")
    return state


def without_prefix(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights without what wrappers for training in parallel put before all of their names.

    >>> list(without_prefix({"module.visual.proj": None, "module.logit_scale": None}))
    ['visual.proj', 'logit_scale']
    """
    for prefix in _WRAPPED_BY:
        if state and all(name.startswith(prefix) for name in state):
            return without_prefix({name.removeprefix(prefix): tensor for name, tensor in state.items()})
    return dict(state)


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
