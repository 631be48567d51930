"""ResNet-50 with all of its layers wider, as SwAV and SimCLR have it.

torchvision's `wide_resnet50_2` widens the inner convolution of each block alone (by `width_per_group`) and
ends in 2,048 features; these widen the stem and the ends of blocks too and end in 4,096 or more. Names of
tensors are torchvision's.
"""

from __future__ import annotations

from typing import Any

from torch import nn

WIDTHS = {"resnet50w2": 2, "resnet50w4": 4, "resnet50w5": 5}
_STEM = 64


def wide_resnet50(name: str) -> nn.Module:
    """Make one of `WIDTHS`, without a classifier: (b, 3, H, W) to (b, 2,048 x width)."""
    from torchvision.models.resnet import Bottleneck, ResNet

    module: Any = ResNet(Bottleneck, [3, 4, 6, 3])
    times = WIDTHS[name]
    module.inplanes = _STEM * times
    module.conv1 = nn.Conv2d(3, module.inplanes, 7, stride=2, padding=3, bias=False)
    module.bn1 = nn.BatchNorm2d(module.inplanes)
    for number, blocks in enumerate((3, 4, 6, 3)):
        stage = module._make_layer(Bottleneck, _STEM * times * 2**number, blocks, stride=2 if number else 1)
        setattr(module, f"layer{number + 1}", stage)
    module.fc = nn.Identity()
    for layer in module.modules():
        if isinstance(layer, nn.Conv2d):  # as torchvision starts them
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
    return module  # type: ignore[no-any-return]
