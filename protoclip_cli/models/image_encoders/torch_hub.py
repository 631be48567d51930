"""Image encoders that torch.hub can load: their code is run, so a user must name and trust it."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import Field, model_validator
from torch import nn

from protoclip_cli.core.errors import RecipeError
from protoclip_cli.core.types import Preprocess
from protoclip_cli.models.image_encoders.base import ImageEncoder, ImageEncoderSpec, Sized

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet
TRUSTED = "PROTOCLIP_TRUST_HUB"
"""The environment variable that names, separated by commas, whose code a checkpoint may have run."""


class TorchHubSpec(Sized, ImageEncoderSpec):
    """A function of a repository's hubconf.py. What it returns must make one feature of an image."""

    kind: Literal["torch_hub"]
    repo: str = Field(min_length=1)
    """`owner/name:ref` on GitHub, where ref is a tag or a commit; or a folder, with `source: local`."""
    name: str = Field(min_length=1)
    """The function."""
    source: Literal["github", "local"] = "github"
    """Where the repository is."""
    trust: bool = False
    """Run the repository's code. It can do all that you can."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Arguments of the function, such as `pretrained: true`."""
    remove: str | None = None
    """A module to replace by nothing, such as `fc`, so that the encoder ends before its classifier."""

    @model_validator(mode="after")
    def _pinned_and_trusted(self) -> TorchHubSpec:
        if self.source == "github" and not self.repo.partition(":")[2]:
            raise ValueError(
                f"the repository {self.repo} names no version, and its code may be another tomorrow; write "
                "owner/name:ref, with a tag or a commit"
            )
        if not self.trust:
            raise ValueError(
                f"{self.repo} is code that would be run on this machine; read it, and set trust: true"
            )
        return self

    @property
    def from_chance(self) -> bool:
        """Whether it starts without any weights, which only the repository's own code knows."""
        return False

    def bare(self) -> ImageEncoder:
        """See `ImageEncoderSpec`; the function may load weights of its own.

        Images are taken to be normalised as ImageNet's.
        """
        return self._made(self.options)

    def _made(self, options: dict[str, Any]) -> ImageEncoder:
        place = str(Path(self.repo).expanduser().resolve()) if self.source == "local" else self.repo
        try:
            module = torch.hub.load(
                place, self.name, source=self.source, trust_repo=True, verbose=False, **options
            )
        except (OSError, RuntimeError, ValueError, ImportError) as error:
            raise RecipeError(f"torch.hub could not make {self.name} of {self.repo}: {error}") from None
        if not isinstance(module, nn.Module):
            raise RecipeError(f"{self.name} of {self.repo} makes a {type(module).__name__} and no network")
        if self.remove is not None:
            owner, _, last = self.remove.rpartition(".")
            if self.remove not in dict(module.named_modules()):
                known = ", ".join(name for name, _ in module.named_children())
                raise RecipeError(
                    f"{self.name} of {self.repo} has no module '{self.remove}'", hint=f"it has {known}"
                )
            setattr(module.get_submodule(owner), last, nn.Identity())
        return ImageEncoder(module, self.sized(Preprocess(224, _MEAN, _STD)), self.plain())

    @classmethod
    def rebuild(cls, described: dict[str, Any], preprocess: Preprocess) -> ImageEncoder:
        """See `ImageEncoderSpec`. A checkpoint may be a stranger's: its word is not enough to run code."""
        spec = cls.model_validate(described)
        if spec.repo not in os.environ.get(TRUSTED, "").split(","):
            raise RecipeError(
                f"the model's image tower is code of {spec.repo}, which would be run on this machine",
                hint=f"read it, and set {TRUSTED}={spec.repo} in the environment",
            )
        options = {key: value for key, value in spec.options.items() if key not in {"pretrained", "weights"}}
        return replace(spec._made(options), preprocess=preprocess)
