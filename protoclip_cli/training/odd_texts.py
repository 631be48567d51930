"""Changed texts that did not fit the text tower: counted, and told at the end of an episode."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch

from protoclip_cli.compute.processes import is_main, sum_over_processes
from protoclip_cli.core.reporter import Reporter
from protoclip_cli.data.loader import Fetched
from protoclip_cli.store.run import RunFolder


@dataclass(slots=True)
class OddTextCount:
    """What an episode has read; of one that was stopped in the middle, since it went on."""

    folder: RunFolder
    reporter: Reporter
    device: torch.device
    _texts: list[int] = field(default_factory=lambda: [0, 0])

    def see(self, fetched: Fetched) -> None:
        """Count a batch."""
        self._texts[0] += fetched.odd_texts.cut
        self._texts[1] += fetched.odd_texts.unknown

    def tell(self, episode: int, step: int) -> None:
        """Add the counts of all processes up, tell them, and begin again. Collective."""
        counts = sum_over_processes(torch.tensor(self._texts, device=self.device))
        cut, unknown = map(int, counts.tolist())
        self._texts = [0, 0]
        if cut:
            self.reporter.warn(
                f"episode {episode}: {cut:,} changed texts were longer than the context, and cut"
            )
        if unknown:
            self.reporter.warn(
                f"episode {episode}: {unknown:,} changed texts had tokens that do not learn with "
                "model.vocabulary: used; their captions were read as they are"
            )
        if (cut or unknown) and is_main():
            self.folder.add_event("odd_texts", step=step, episode=episode, cut=cut, unknown=unknown)
