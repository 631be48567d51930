"""How far each parameter of a tower is from its output, read off the structure of its modules."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence

from torch import nn


def layers_above(
    module: nn.Module, names: Sequence[str], is_projection: Callable[[str], bool]
) -> dict[str, int]:
    """How many layers stand between each parameter of a tower and its output.

    The layers of a tower are the children of the list (`ModuleList` or `Sequential`) that holds most of its
    weights and lies in no other list; lists beside it whose children are of the same class belong to it, as
    the stages of a residual network. What comes before the first layer, and tables of embeddings, are below
    all of them; what comes between two belongs to the lower one, what comes behind the last to that one.

    Args:
        module: the tower, or what it is a part of.
        names: of the tower's parameters, in the module's order.
        is_projection: whether a parameter ends the tower.

    Returns:
        0 for what ends the tower, 1 for the last layer, L + 1 for what is below all L layers; nothing where
        the tower has no layers.

    >>> tower = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    >>> layers_above(tower, ["0.weight", "0.bias", "1.weight", "1.bias"], lambda name: False)
    {'0.weight': 2, '0.bias': 2, '1.weight': 1, '1.bias': 1}
    """
    layers = _layers(module, [name for name in names if not is_projection(name)])
    count, reached, found = len(layers), 0, {}
    for name in names:
        if is_projection(name):
            found[name] = 0
            continue
        inside = next((i for i, layer in enumerate(layers) if name.startswith(f"{layer}.")), None)
        if inside is not None:
            reached = inside + 1
        found[name] = count + 1 if inside is None and _is_table(module, name) else count + 1 - reached
    return found if layers else {}


def _layers(module: nn.Module, names: Sequence[str]) -> list[str]:
    """Names of the layers, the lowest first."""
    families: defaultdict[tuple[str, type[nn.Module]], list[str]] = defaultdict(list)
    lists: list[str] = []
    for path, part in module.named_modules():
        prefix = f"{path}." if path else ""
        if not isinstance(part, nn.ModuleList | nn.Sequential) or path.startswith(tuple(lists)):
            continue
        children = [f"{prefix}{name}" for name, _ in part.named_children()]
        if children := [child for child in children if _inside(child, names)]:
            lists.append(prefix)
            families[path.rpartition(".")[0], type(module.get_submodule(children[0]))] += children

    def weight(layers: list[str]) -> int:
        return sum(module.get_parameter(name).numel() for layer in layers for name in _inside(layer, names))

    return max(families.values(), key=weight, default=[])


def _inside(path: str, names: Sequence[str]) -> list[str]:
    return [name for name in names if name.startswith(f"{path}.")]


def _is_table(module: nn.Module, name: str) -> bool:
    """Whether a parameter is one of a table of embeddings; open_clip's stands behind the blocks."""
    owner = name.rpartition(".")[0]
    return isinstance(module.get_submodule(owner), nn.Embedding) or "embed" in owner.rpartition(".")[2]
