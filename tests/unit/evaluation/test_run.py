from dataclasses import replace

import pytest

from protoclip_cli.core.errors import DataError, MissingExtra, ProtoclipError
from protoclip_cli.data.benchmarks.readers.folder import FolderSpec
from protoclip_cli.evaluation.embedder import CachedEmbedder
from protoclip_cli.evaluation.probes.clustering import ClusteringSpec
from protoclip_cli.evaluation.probes.linear_probe import LinearProbeSpec
from protoclip_cli.evaluation.probes.retrieval import RetrievalSpec
from protoclip_cli.evaluation.probes.zero_shot import ZeroShotSpec
from protoclip_cli.evaluation.run import run_probes


class Shelf:
    """Opens benchmarks by any shipped name, and counts."""

    def __init__(self, benchmark):
        self.benchmark = benchmark
        self.opened = []

    def __call__(self, ref):
        name = ref if isinstance(ref, str) else ref.label
        self.opened.append(name)
        if name == "glyphs_upper":
            raise DataError("it is not there", hint="put it there")
        if name == "glyphs_script":
            raise MissingExtra("h5py is not found", hint="pip install h5py")
        if name == "glyphs_names":
            return replace(self.benchmark, name=name, test=None, notes=("2 files are ignored",))
        return replace(self.benchmark, name=name)


def run(probes, shelf, embedder, **more):
    notes = []
    scores = list(run_probes(probes, shelf, embedder, seed=0, note=notes.append, **more))
    return scores, notes


def test_order_is_that_of_probes_and_their_benchmarks(benchmark, embedder):
    probes = [
        ClusteringSpec(benchmarks=["digits", "glyphs_lower"]),
        RetrievalSpec(benchmarks=["glyphs_names"]),
    ]
    scores, notes = run(probes, Shelf(benchmark), embedder, episode=3, step=70)
    seen = list(dict.fromkeys((score.probe, score.benchmark) for score in scores))
    assert seen == [("clustering", "digits"), ("clustering", "glyphs_lower"), ("retrieval", "glyphs_names")]
    assert {(score.episode, score.step) for score in scores} == {(3, 70)}
    assert notes == ["glyphs_names: 2 files are ignored"]


def test_a_missing_package_is_told_and_the_rest_goes_on(benchmark, embedder):
    probe = ZeroShotSpec(benchmarks=["glyphs_script", "digits"])
    scores, notes = run([probe], Shelf(benchmark), embedder)
    assert {score.benchmark for score in scores} == {"digits"}
    assert notes == ["glyphs_script is left out: h5py is not found (pip install h5py)"]


def test_what_is_missing_or_impossible_is_told_and_the_rest_goes_on(benchmark, embedder):
    lists = {"benchmarks": ["glyphs_upper", "glyphs_names", "digits"]}
    shelf = Shelf(benchmark)
    scores, notes = run([ZeroShotSpec(**lists), ClusteringSpec(**lists)], shelf, embedder)
    assert {(score.probe, score.benchmark) for score in scores} == {
        ("zero_shot", "digits"),
        ("clustering", "digits"),
    }
    assert notes == [
        "glyphs_upper is left out: it is not there (put it there)",
        "glyphs_names: 2 files are ignored",
        "zero_shot cannot run on glyphs_names: it has no labelled images",
        "clustering cannot run on glyphs_names: it has no labelled images",
    ]
    assert shelf.opened == ["glyphs_upper", "glyphs_names", "digits"]


def test_one_extraction_serves_every_probe(benchmark, embedder):
    lists = {"benchmarks": ["digits"]}
    probes = [
        ZeroShotSpec(**lists),
        RetrievalSpec(**lists),
        LinearProbeSpec(**lists),
        ClusteringSpec(**lists),
    ]
    run(probes, Shelf(benchmark), CachedEmbedder(embedder))
    rows = [row for kind, asked in embedder.asked if kind == "images" for row in asked]
    assert len(rows) == 60 + 180


def test_two_benchmarks_of_one_name_do_not_overwrite_each_other(benchmark, embedder, tmp_path):
    refs = [FolderSpec(path=tmp_path / "a" / "pets"), FolderSpec(path=tmp_path / "b" / "pets")]
    scores, notes = run([ClusteringSpec(benchmarks=refs)], Shelf(benchmark), embedder)
    assert len(scores) == 3
    assert "another benchmark has that name" in notes[0]


def test_a_broken_model_is_not_passed_over(benchmark, embedder):
    embedder.image_matrix[0] = float("nan")
    with pytest.raises(ProtoclipError, match="not finite"):
        run([ClusteringSpec(benchmarks=["digits"])], Shelf(benchmark), embedder)


def test_a_probe_without_benchmarks_uses_its_own(benchmark, embedder):
    scores, _ = run([RetrievalSpec()], Shelf(benchmark), embedder)
    assert {score.benchmark for score in scores} == {"glyphs_names"}
