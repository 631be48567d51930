"""Fixtures for all tests."""

import itertools
import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection, Pipe, wait
from pathlib import Path
from typing import Any

import pytest
from hypothesis.configuration import set_hypothesis_home_dir

# As the command line does, before anything loads torch: spinning threads and busy machines go badly together.
os.environ.setdefault("GOMP_SPINCOUNT", "20000")

# A folder of hypothesis in the root ends the next run of pytest with its warning.
set_hypothesis_home_dir(Path(tempfile.gettempdir()) / "protoclip_hypothesis")


@pytest.fixture(autouse=True)
def _same_chance_and_few_threads() -> None:
    import torch

    torch.set_num_threads(2)
    torch.manual_seed(0)


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Features that tests compute do not stay in the cache of who runs them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PROTOCLIP_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


class Workers:
    """Python processes that stay: importing torch is paid once, and each call makes a new group of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.calls = itertools.count()
        self.pool: list[tuple[subprocess.Popen[bytes], Connection]] = []

    def run(self, world: int, function: Callable[..., Any], *args: Any, timeout: float = 60) -> list[Any]:
        """Call a function of a test module in `world` processes that form a gloo group.

        Args:
            world: how many.
            function: at the top level of a module; it is found by file and name.
            args: plain values and tensors; every process gets the same.
            timeout: seconds.

        Returns:
            What each rank returned, in rank order.
        """
        while len(self.pool) < world:
            self._start()
        where = (function.__code__.co_filename, function.__name__)
        meeting = str(self.folder / f"meeting_{next(self.calls)}")
        waiting = {}
        for rank, (_, connection) in enumerate(self.pool[:world]):
            connection.send_bytes(pickle.dumps((where, args, rank, world, meeting)))
            waiting[connection] = rank
        results: list[Any] = [None] * world
        while waiting:
            ready = wait(waiting, timeout)
            if not ready:
                self.stop()
                pytest.fail(f"ranks {sorted(waiting.values())} did not answer within {timeout} s")
            for connection in ready:
                rank = waiting.pop(connection)
                results[rank] = self._answer(connection, rank)
        return results

    def stop(self) -> None:
        """End all processes; the next call starts new ones."""
        for process, connection in self.pool:
            process.kill()
            process.wait()
            connection.close()
        self.pool.clear()

    def _start(self) -> None:
        mine, theirs = Pipe()
        script = Path(__file__).parent / "distributed" / "worker.py"
        command = [sys.executable, "-W", "error", str(script), str(theirs.fileno())]
        process = subprocess.Popen(command, pass_fds=[theirs.fileno()])
        theirs.close()
        self.pool.append((process, mine))

    def _answer(self, connection: Any, rank: int) -> Any:
        try:
            worked, value = pickle.loads(connection.recv_bytes())
        except EOFError:
            worked, value = False, "the process ended"
        if not worked:
            self.stop()  # the others wait for this one forever
            pytest.fail(f"rank {rank} of the worker processes failed:\n{value}")
        return value


@pytest.fixture(scope="session")
def on_processes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., list[Any]]]:
    """`on_processes(world, function, *args)` returns what each rank returned."""
    workers = Workers(tmp_path_factory.mktemp("workers"))
    yield workers.run
    workers.stop()


@pytest.fixture(scope="session")
def transformer() -> Callable[..., Path]:
    """`transformer(folder, texts, **config)` writes a small RoBERTa with chance weights and its tokenizer."""
    pytest.importorskip("transformers")

    def written(folder: Path, texts: list[str], **config: Any) -> Path:
        import torch
        from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers
        from transformers import PreTrainedTokenizerFast, RobertaConfig, RobertaModel
        from transformers.utils import logging

        logging.disable_progress_bar()
        words = Tokenizer(models.BPE(unk_token="<unk>"))
        words.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
        special = ["<s>", "<pad>", "</s>", "<unk>"]
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        trainer = trainers.BpeTrainer(
            vocab_size=400, special_tokens=special, show_progress=False, initial_alphabet=alphabet
        )
        words.train_from_iterator(texts, trainer)
        words.post_processor = processors.TemplateProcessing(
            single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
        )
        marks = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
        PreTrainedTokenizerFast(tokenizer_object=words, model_max_length=94, **marks).save_pretrained(folder)
        sizes = {"hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
        torch.manual_seed(0)
        model = RobertaModel(
            RobertaConfig(vocab_size=len(words.get_vocab()), max_position_embeddings=96, **(sizes | config))
        )
        model.save_pretrained(folder)
        return folder

    return written


@pytest.fixture(scope="session")
def tiny_run() -> Callable[..., Path]:
    """`tiny_run(folder, seed=, scores=, ...)` writes the text files of a run that never ran.

    `scores` is by benchmark a value or values by step; keywords replace top keys of the recipe.
    """

    def written(
        folder: Path,
        scores: dict[str, Any],
        *,
        state: str = "finished",
        losses: tuple[float, ...] = (2.0, 1.0),
        metric: str = "top1",
        **recipe: Any,
    ) -> Path:
        import json

        import yaml

        folder.mkdir(parents=True)
        recipe = {"name": "tiny", "seed": 0, "batch": {"size": 8}, "optimizer": {"lr": 0.1}} | recipe
        (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe, sort_keys=False, allow_unicode=True))
        where = {"state": state, "phase": "train", "exit": 0, "episode": 0, "step": 10, "steps": 20}
        (folder / "status.json").write_text(json.dumps(where))
        (folder / "run.json").write_text(
            json.dumps({"argv": ["protoclip", "train"], "versions": {"torch": "2.9"}})
        )
        row = {
            "v": 1,
            "probe": "zero_shot",
            "split": "test",
            "metric": metric,
            "higher_is_better": True,
            "n": 9,
        }
        row |= {"ci95": [0.1, 0.9], "model_hash": "x", "selection": "none", "seed": 0}
        rows = [
            row | {"benchmark": name, "step": step, "value": value}
            for name, values in scores.items()
            for step, value in (values if isinstance(values, dict) else {10: values}).items()
        ]
        lines = {
            "metrics": [{"step": step, "loss": loss} for step, loss in enumerate(losses, 1)],
            "timings": [{"step": 10, "phase": "train", "seconds": 4.0, "peak_memory_bytes": 2**30}],
            "scores": rows,
        }
        for name, found in lines.items():
            (folder / f"{name}.jsonl").write_text("".join(json.dumps(one) + "\n" for one in found))
        return folder

    return written
