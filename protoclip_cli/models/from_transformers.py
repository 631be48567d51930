"""Models of Hugging Face transformers, loaded or made again from their configuration."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch

from protoclip_cli.core.errors import MissingExtra
from protoclip_cli.models.text_encoder import no_model


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """Keep the library's own lines and bars off the screen."""
    from transformers.utils import logging

    before, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(before)
        if bars:
            logging.enable_progress_bar()


def load_model(
    name: str, revision: str | None, *, weights: bool, changes: Mapping[str, Any]
) -> tuple[Any, tuple[str, ...]]:
    """A model from the hub or a folder, in float32. Code that comes with it is never run.

    Args:
        name: on the hub, or of a folder.
        revision: which version; None: the newest.
        weights: load them; False: leave them to chance.
        changes: fields of its configuration to replace.

    Returns:
        The model, and what the user should know of its weights.

    Raises:
        MissingExtra: transformers is not installed.
        RecipeError: there is no such model.
    """
    try:
        from transformers import AutoConfig, AutoModel
    except ImportError:
        raise MissingExtra(
            "this tower needs the package transformers", hint="pip install 'protoclip[hf]'"
        ) from None
    source = {"revision": revision, "trust_remote_code": False}
    try:
        with quiet_transformers():
            config = AutoConfig.from_pretrained(name, **source, **changes)
            if not weights:
                return AutoModel.from_config(config, dtype=torch.float32), ()
            model, about = AutoModel.from_pretrained(
                name, config=config, dtype=torch.float32, output_loading_info=True, **source
            )
    except (OSError, ValueError, ImportError, RuntimeError) as error:
        raise no_model(name, error) from None
    missing = sorted(about["missing_keys"])
    some = ", ".join(missing[:3])
    notes = (f"{name}: {len(missing)} tensors are not in its weights and start from chance ({some})",)
    return model.train(), notes if missing else ()


def model_of(config: dict[str, Any]) -> Any:
    """Make a model of its configuration, with weights left to chance and without a network."""
    from transformers import AutoConfig, AutoModel

    fields = {key: value for key, value in config.items() if key != "model_type"}
    with quiet_transformers():
        return AutoModel.from_config(
            AutoConfig.for_model(config["model_type"], **fields), dtype=torch.float32
        )


def preprocess_file(name: str, revision: str | None) -> dict[str, Any]:
    """What a model says of its images; empty where it says nothing."""
    from transformers.models.auto.image_processing_auto import get_image_processor_config

    with quiet_transformers():
        return dict(get_image_processor_config(name, revision=revision))


def load_tokenizer(name: str, revision: str | None) -> Any:
    """The tokenizer of a model on the hub or in a folder.

    Raises:
        RecipeError: there is none.
    """
    from transformers import AutoTokenizer

    try:
        with quiet_transformers():
            return AutoTokenizer.from_pretrained(name, revision=revision, trust_remote_code=False)
    except (OSError, ValueError, ImportError) as error:
        raise no_model(name, error) from None
