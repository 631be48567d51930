"""What each objective costs: alone, against the plain formula, and as part of a whole step.

    python tests/benchmarks/objectives_cost.py            on the quickstart's towers, on the device there is
    python tests/benchmarks/objectives_cost.py --rn50     on RN50 at 224 pixels, for a GPU
    python tests/benchmarks/objectives_cost.py rkd seed --batches 256 --no-steps

Columns: milliseconds of forward and backward at each batch (128-d; queues and prototypes as they
are by default), the same in the plain formula's time where there is one; milliseconds of a whole
step (encode, score, backward, AdamW, state) with this objective alone; that in the time of a step
with `info_nce`; and, `per view`, in that of a step that encodes the same views with next to no
loss. Times are the best of many. `--write` puts the ratio where `protoclip recipes kinds
objectives` finds it. At the end: the peak memory of `rkd` (or `--peak KIND`) at a batch of 1,024 of
256-d.
"""

from __future__ import annotations

import argparse
import re
import resource
import subprocess
import sys
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
import yaml
from measured_file import write
from plain_objectives import PLAIN
from torch import Tensor
from tower_steps import CLASSES, DEVICE, LENGTH, VOCABULARY, WIDTH, Steps, guides, milliseconds

from protoclip_cli.core.needs import Needs
from protoclip_cli.core.types import Features, Frozen, NextTokens, StepInputs
from protoclip_cli.core.widths import Widths
from protoclip_cli.objectives import OBJECTIVES, Objective, ObjectiveSpec

SETTINGS = Path(__file__).parents[1] / "contract" / "objectives"


def spec_of(kind: str) -> ObjectiveSpec:
    """An objective in the first settings of its contract test, but with the sizes it has by default."""
    file = SETTINGS / f"{kind}.yaml"
    settings = yaml.safe_load(file.read_text())[0] if file.exists() else {}
    known = OBJECTIVES.spec(kind).model_fields
    sizes = [key for key, value in settings.items() if type(value) is int and not known[key].is_required()]
    return OBJECTIVES.spec(kind).model_validate(
        {"kind": kind} | {key: value for key, value in settings.items() if key not in sizes}
    )


class Widest(dict[str, int]):
    """Every head there may be, all of one width."""

    def __missing__(self, name: str) -> int:
        return WIDTH


def made_inputs(needs: Needs, rows: int, width: int) -> StepInputs:
    """Random features of everything that is needed, with gradients where a tower would make them."""

    def side(views: int, learns: bool = True) -> tuple[Features, ...]:
        def some(columns: int) -> Tensor:
            return torch.randn(rows, columns, device=DEVICE, requires_grad=learns)

        heads = sorted(needs.heads)
        return tuple(Features(some(width), {name: some(WIDTH) for name in heads}) for _ in range(views))

    def rows_of(columns: int) -> Tensor:
        return torch.randn(rows, columns, device=DEVICE)

    logits = torch.randn(rows, LENGTH, VOCABULARY, device=DEVICE, requires_grad=True)
    targets = torch.randint(VOCABULARY, (rows, LENGTH), device=DEVICE)
    said = NextTokens(logits, targets, torch.tensor(float(rows * LENGTH), device=DEVICE))
    frozen = Frozen(rows_of(width), rows_of(width), torch.tensor(14.3, device=DEVICE))
    return StepInputs(
        side(needs.image_views),
        side(needs.text_views),
        slice(0, rows),
        momentum_image=side(needs.image_views, False) if needs.momentum else (),
        momentum_text=side(needs.text_views, False) if needs.momentum else (),
        frozen=frozen if needs.frozen else None,
        next_tokens=said if needs.token_logits else None,
        **guides(needs, rows, width),
    )


def built(spec: ObjectiveSpec, width: int) -> Objective:
    sizes: dict[str, Any] = {field.name: width for field in fields(Widths)} | {"heads": Widest()}
    if "classes" in sizes:
        sizes["classes"] = CLASSES
    return spec.build(Widths(**sizes), None).to(DEVICE)


def alone(spec: ObjectiveSpec, rows: int, seconds: float) -> float:
    """Milliseconds of the objective's forward and backward."""
    objective, inputs = built(spec, WIDTH), made_inputs(spec.needs(), rows, WIDTH)

    def work() -> None:
        objective(inputs).loss.backward()

    return milliseconds(work, seconds)


def plainly(kind: str, rows: int, seconds: float) -> float | None:
    """Milliseconds of the plain formula; None: there is none, or it needs more memory than a machine has."""
    if kind not in PLAIN or (kind == "rkd" and rows > 512 and DEVICE.type == "cpu"):
        return None
    loss, needs = PLAIN[kind](WIDTH, DEVICE), spec_of(kind).needs()
    shape = (
        (rows, WIDTH) if (views := max(needs.image_views, needs.text_views)) == 1 else (views, rows, WIDTH)
    )
    image, text = (torch.randn(shape, device=DEVICE, requires_grad=True) for _ in range(2))
    return milliseconds(lambda: loss(image, text).backward(), seconds)


def _highest_so_far(forget: bool = False) -> int:
    """Bytes this process had in memory at the most; on Linux since it was last forgotten."""
    if not Path("/proc/self/clear_refs").exists():
        return 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if forget:
        Path("/proc/self/clear_refs").write_text("5")
    return 1024 * int(re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[1])


def peak(kind: str, rows: int = 1024, width: int = 256) -> str:
    """How much memory an objective's forward and backward take besides what they are given."""
    spec = spec_of(kind)
    objective, inputs = built(spec, width), made_inputs(spec.needs(), rows, width)
    torch.randn(64, 64, device=DEVICE, requires_grad=True).mm(
        torch.randn(64, 64, device=DEVICE)
    ).sum().backward()
    if DEVICE.type == "cuda":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        objective(inputs).loss.backward()
        taken = torch.cuda.max_memory_allocated() - before
    else:
        before = _highest_so_far(forget=True)
        objective(inputs).loss.backward()
        taken = _highest_so_far() - before
    return f"{kind} at B = {rows}, d = {width}: {taken / 2**20:,.0f} MiB more at its peak, on {DEVICE.type}"


def line(kind: str, arguments: argparse.Namespace, steps: Steps | None) -> tuple[list[str], float]:
    """The cells of an objective, and the ratio of its step to that of `info_nce`."""
    spec, cells = spec_of(kind), [kind]
    for rows in arguments.batches:
        ours, plain = alone(spec, rows, arguments.seconds), plainly(kind, rows, arguments.seconds)
        cells += [f"{ours:.2f}", "" if plain is None else f"{ours / plain:.2f}"]
    needs = spec.needs()
    if steps is None:
        return cells, 0.0
    if needs.token_logits:
        steps = Steps("glyphs-coca", steps.rows)
    bare = spec_of("info_nce")  # each time, next to what is compared with it: machines have moods
    base = steps.milliseconds(bare.needs(), built(bare, steps.towers.width), arguments.seconds)
    whole = steps.milliseconds(needs, built(spec, steps.towers.width), arguments.seconds)
    encoding = steps.milliseconds(needs, None, arguments.seconds)
    ratio = whole / base
    views = f"{needs.image_views} + {needs.text_views}"
    return [*cells, views, f"{whole:.1f}", f"{ratio:.2f}", f"{whole / encoding:.2f}"], ratio


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("kinds", nargs="*", default=OBJECTIVES.kinds())
    parser.add_argument("--batches", type=int, nargs="*", default=[256, 1024])
    parser.add_argument("--rn50", action="store_true", help="whole steps on RN50 at 224 pixels")
    parser.add_argument("--step-batch", type=int, help="rows of a whole step; default: 128, with --rn50 256")
    parser.add_argument("--no-steps", action="store_true", help="objectives alone")
    parser.add_argument("--seconds", type=float, default=1.0, help="of each measurement, at least")
    parser.add_argument("--peak", default="rkd", metavar="KIND")
    parser.add_argument("--only-peak", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--write", action="store_true")
    arguments = parser.parse_args()
    if arguments.only_peak:
        print(peak(arguments.peak))
        return
    torch.manual_seed(0)
    name, rows = ("RN50", 256) if arguments.rn50 else ("glyphs-tiny", 128)
    steps = None if arguments.no_steps else Steps(name, arguments.step_batch or rows)
    device = (
        torch.cuda.get_device_name() if DEVICE.type == "cuda" else f"cpu, {torch.get_num_threads()} threads"
    )
    print(device + (f"; whole steps on {name}, batch {steps.rows}\n" if steps else "; no whole steps\n"))
    titles = [cell for batch in arguments.batches for cell in (f"ms, B {batch}", "/ plain")]
    titles = [
        "objective",
        *titles,
        *([] if steps is None else ["views", "step ms", "/ info_nce", "per view"]),
    ]
    print("| " + " | ".join(titles) + " |\n|" + "---|" * len(titles))
    found = {}
    for kind in arguments.kinds:
        cells, ratio = line(kind, arguments, steps)
        print("| " + " | ".join(cells) + " |", flush=True)
        if ratio:
            found[kind] = {"ratio": round(ratio, 2), "device": device, "towers": name}
    if (
        arguments.peak in OBJECTIVES.kinds()
    ):  # in a process of its own: memory that was freed is not given back
        subprocess.run([sys.executable, __file__, "--only-peak", "--peak", arguments.peak], check=True)
    if arguments.write:
        write("step", found)


if __name__ == "__main__":
    main()
