"""The scores of a run: `scores.jsonl`, which is the record, and `evaluation_metrics_all.csv`, made from it.

Training, an evaluation and a watcher may all write to one run at the same time.
"""

from __future__ import annotations

from collections.abc import Iterable

from protoclip_cli.compute.processes import is_main, wait_for_all
from protoclip_cli.core.reporter import Reporter
from protoclip_cli.evaluation.old_names import old_csv
from protoclip_cli.evaluation.score import Score, latest
from protoclip_cli.store.files import write_text
from protoclip_cli.store.lines import append_lines, read_lines
from protoclip_cli.store.locks import locked
from protoclip_cli.store.outcomes import outcomes_file, save_outcomes
from protoclip_cli.store.run import RunFolder


def record_scores(folder: RunFolder, scores: Iterable[Score], reporter: Reporter) -> list[Score]:
    """Write scores to the run's files as they come. Computed by all processes, written by the first.

    Returns:
        The scores.
    """
    done = []
    for score in scores:
        done.append(score)
        if is_main():
            if score.outcomes is not None:
                save_outcomes(outcomes_file(folder.path, score.identity), score.outcomes)
            append_lines(folder.scores, [score.row()])
            reporter.scores([score.row()])
    if is_main() and folder.scores.is_file():
        with locked(folder.scores):
            write_text(folder.path / "evaluation_metrics_all.csv", old_csv(read_scores_of(folder)))
    wait_for_all()
    return done


def read_scores_of(folder: RunFolder) -> list[Score]:
    """All scores of a run, repeated ones once."""
    return latest(Score.from_row(row) for row in read_lines(folder.scores))


def read_final_scores(folder: RunFolder) -> tuple[Score, ...]:
    """The scores of the latest step that has some."""
    scores = read_scores_of(folder)
    last = max((score.step or 0 for score in scores), default=0)
    return tuple(score for score in scores if (score.step or 0) == last)
