"""What an adapter is."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any, ClassVar

from torch import nn

from protoclip_cli.core.errors import RecipeError
from protoclip_cli.core.spec import Spec
from protoclip_cli.models.adapters._peft import inject

# They read the weights of the maps inside and never call these, so an adapter there would do nothing.
_READ_WEIGHTS = ("MultiheadAttention", "AttentionPool2d")


class AdapterSpec(Spec, ABC):
    """How a recipe writes an adapter. The tower it is for is frozen but for the adapter and `train_also`."""

    kind: str
    train_also: tuple[str, ...] = ()
    """Names of the tower's own parameters that learn too, with `*` for any text; `ln_final.*` for example."""

    mergeable: ClassVar[bool] = True
    """Whether the plain weights can take up what the adapter has learned."""

    @abstractmethod
    def insert(self, root: nn.Module, names: Sequence[str]) -> None:
        """Put the adapter into a tower.

        Args:
            root: what the tower is a part of; is changed.
            names: of the tower's modules.

        Raises:
            RecipeError: the tower has no place for it.
            MissingExtra: peft is not installed.
        """


class InjectedSpec(AdapterSpec, ABC):
    """An adapter that stands beside single maps."""

    targets: tuple[str, ...] = ()
    """Names of the modules to adapt, with `*` for any text; `mlp.c_fc` is that of every block. Empty: all
    linear maps and attentions the kind knows, but for the projection into the shared space."""

    takes: ClassVar[tuple[type[nn.Module], ...]] = (nn.Linear,)
    """Modules it adapts where nobody names any."""
    takes_named: ClassVar[tuple[type[nn.Module], ...]] = (nn.Conv2d,)
    """Modules it adapts only where they are named."""

    @abstractmethod
    def config(self) -> Any:
        """Peft's configuration, without targets."""

    def insert(self, root: nn.Module, names: Sequence[str]) -> None:
        """Put an adapter beside each target."""
        kinds = self.takes + self.takes_named if self.targets else self.takes
        fits = [
            name for name in names if isinstance(root.get_submodule(name), kinds) and _is_called(root, name)
        ]
        for pattern in self.targets:
            if not any(is_named(name, [pattern]) for name in fits):
                raise RecipeError(
                    f"adapter {self.kind}: '{pattern}' names no module that it can adapt",
                    hint=f"it adapts {', '.join(kind.__name__ for kind in kinds)}; "
                    f"for example {', '.join(fits[:3]) or 'none of this tower'}",
                )
        found = [name for name in fits if is_named(name, self.targets)] if self.targets else fits
        if not found:
            raise RecipeError(
                f"adapter {self.kind}: the tower has no {' or '.join(one.__name__ for one in kinds)} in it",
                hint=f"name {', '.join(kind.__name__ for kind in self.takes_named) or 'other modules'} in "
                "`targets`, or leave the adapter out",
            )
        inject(self.config(), root, found, self.kind)


def is_named(name: str, patterns: Sequence[str]) -> bool:
    """Whether a name, or the end of it after a dot, is one of the patterns.

    >>> [is_named("clip.transformer.0.mlp.c_fc", [p]) for p in ("mlp.c_fc", "c_fc", "c_f", "clip.*.c_fc")]
    [True, True, False, True]
    """
    return any(fnmatchcase(name, pattern) or fnmatchcase(name, f"*.{pattern}") for pattern in patterns)


def _is_called(root: nn.Module, name: str) -> bool:
    return type(root.get_submodule(name.rpartition(".")[0])).__name__ not in _READ_WEIGHTS
