"""Batch normalisation with the statistics of all processes, on any device.

torch.nn.SyncBatchNorm refuses the CPU. This layer has the same parameters, buffers and values; with
NCCL torch's own is used.
"""

from __future__ import annotations

import torch
import torch.distributed as dist
import torch.nn.functional as F
from torch import Tensor, nn

from protoclip_cli.compute.processes import collect, world


class SyncNorm(nn.modules.batchnorm._BatchNorm):
    """Batch norm over the rows of all processes, through `collect`: small, exact and not fast."""

    def _check_input_dim(self, input: Tensor) -> None:
        if input.dim() < 2:
            raise ValueError(f"expected at least 2 dimensions, got {input.dim()}")

    def forward(self, input: Tensor) -> Tensor:
        """Normalise; (b, C, ...) to the same shape."""
        if not self.training or world() == 1:
            return self._alone(input)
        dims = [0, *range(2, input.dim())]
        rows = input.float() if input.dtype in {torch.float16, torch.bfloat16} else input
        mean = rows.mean(dims)
        variance = rows.var(dims, unbiased=False)
        # Every process has the same number of rows, so the mean of means is the mean.
        means, variances = collect(torch.stack([mean, variance])[None]).unbind(1)
        mean = means.mean(0)
        variance = variances.mean(0) + means.var(0, unbiased=False)
        self._remember(mean.detach(), variance.detach(), rows.numel() // rows.shape[1] * world())
        shape = [1, -1, *[1] * (input.dim() - 2)]
        normal = (rows - mean.view(shape)) * torch.rsqrt(variance.view(shape) + self.eps)
        if self.affine:
            normal = normal * self.weight.view(shape) + self.bias.view(shape)
        return normal.to(input.dtype)

    def _alone(self, input: Tensor) -> Tensor:
        if self.training and self.num_batches_tracked is not None:
            self.num_batches_tracked.add_(1)
        momentum = 0.1 if self.momentum is None else self.momentum
        return F.batch_norm(
            input,
            self.running_mean,
            self.running_var,
            self.weight,
            self.bias,
            self.training,
            momentum,
            self.eps,
        )

    def _remember(self, mean: Tensor, variance: Tensor, count: int) -> None:
        if self.running_mean is None or self.running_var is None or self.num_batches_tracked is None:
            return
        momentum = 0.1 if self.momentum is None else self.momentum
        self.num_batches_tracked.add_(1)
        self.running_mean.lerp_(mean.to(self.running_mean.dtype), momentum)
        unbiased = variance * (count / max(count - 1, 1))
        self.running_var.lerp_(unbiased.to(self.running_var.dtype), momentum)


def synchronise_norms(module: nn.Module) -> nn.Module:
    """Replace the batch norms of a module by synchronised ones. Parameters, buffers and names stay.

    With one process nothing changes.
    """
    if world() == 1:
        return module
    if dist.get_backend() == "nccl":
        converted: nn.Module = nn.SyncBatchNorm.convert_sync_batchnorm(module)
        return converted
    for name, child in module.named_children():
        if isinstance(child, nn.modules.batchnorm._BatchNorm) and not isinstance(child, SyncNorm):
            setattr(module, name, _synchronised(child))
        else:
            synchronise_norms(child)
    return module


def _synchronised(norm: nn.modules.batchnorm._BatchNorm) -> SyncNorm:
    twin = SyncNorm(norm.num_features, norm.eps, norm.momentum, norm.affine, norm.track_running_stats)
    twin.weight, twin.bias = norm.weight, norm.bias
    twin.running_mean, twin.running_var = norm.running_mean, norm.running_var
    twin.num_batches_tracked = norm.num_batches_tracked
    return twin.train(norm.training)
