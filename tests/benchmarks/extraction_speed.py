"""Captions per second of teacher extraction, ours against the original's way, with the same model in one run.

    python tests/benchmarks/extraction_speed.py --threads 1

The original's way: every caption filled up to 77 tokens, in the order of the table, in fp32. Ours: batches of
like length. The model is a RoBERTa with chance weights, the captions are those of the glyphs. Times include
tokenising, and take turns. Prints medians, their ratio, and how far ours with `average_padding` is from the
original's way.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

SIZES = {
    "tiny": {"hidden_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 512},
    "small": {
        "hidden_size": 384,
        "num_hidden_layers": 6,
        "num_attention_heads": 6,
        "intermediate_size": 1536,
    },
    "base": {"hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12},
    "large": {
        "hidden_size": 1024,
        "num_hidden_layers": 24,
        "num_attention_heads": 16,
        "intermediate_size": 4096,
    },
}


def write_model(folder: Path, texts: list[str], size: str) -> None:
    """A RoBERTa with chance weights, and a byte-pair tokenizer trained on the texts."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast, RobertaConfig, RobertaModel

    words = Tokenizer(models.BPE(unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=4000, special_tokens=special, initial_alphabet=alphabet)
    words.train_from_iterator(texts, trainer)
    words.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    marks = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}
    PreTrainedTokenizerFast(tokenizer_object=words, model_max_length=512, **marks).save_pretrained(folder)
    config = RobertaConfig(vocab_size=len(words.get_vocab()), max_position_embeddings=514, **SIZES[size])
    RobertaModel(config).save_pretrained(folder)


def originals_way(folder: Path, texts: list[str], batch: int, device: Any) -> Any:
    """Mean over 77 positions, filled up with the start token, in the order of the table, in fp32."""
    import numpy as np
    import torch
    from transformers import AutoModel, AutoTokenizer

    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).to(device)
    model.eval()

    @torch.inference_mode()
    def run() -> Any:
        rows = []
        for start in range(0, len(texts), batch):
            tokens = torch.zeros(len(texts[start : start + batch]), 77, dtype=torch.long)
            for row, text in enumerate(texts[start : start + batch]):
                ids = tokenizer(text, truncation=True, max_length=77)["input_ids"]
                tokens[row, : len(ids)] = torch.tensor(ids)
            rows.append(model(tokens.to(device)).last_hidden_state.mean(dim=1).float().cpu().numpy())
        return np.concatenate(rows)

    return run


def main() -> None:
    """Compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--captions", type=int, default=2048)
    parser.add_argument("--size", choices=SIZES, default="small")
    parser.add_argument(
        "--batch", type=int, nargs="*", default=[32, 256], help="the original's, tried one by one"
    )
    parser.add_argument("--precision", choices=["fp32", "bf16", "fp16"], default="fp32", help="ours")
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = str(arguments.threads)

    import numpy as np
    import torch

    from protoclip_cli.data.pairs import PAIRS
    from protoclip_cli.models.builders import TEXT_ENCODERS

    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    captions = PAIRS.spec("glyphs").model_validate({"kind": "glyphs"}).open().captions
    everything = captions.slice(0, len(captions))
    texts = everything[:: len(everything) // arguments.captions][: arguments.captions]

    with tempfile.TemporaryDirectory() as name:
        write_model(Path(name), everything, arguments.size)
        spec = TEXT_ENCODERS.spec("huggingface")
        fields = {"kind": "huggingface", "name": name}

        def encoder(**more: Any) -> Any:
            return spec.model_validate(fields | more).open(captions, seed=0, device=device)

        ours = encoder(precision=arguments.precision)
        print(f"{arguments.size}, {len(texts)} captions on {device}, {arguments.threads} threads", flush=True)
        ways = {
            f"the original's way, batch {batch}": originals_way(Path(name), texts, batch, device)
            for batch in arguments.batch
        }
        theirs = next(iter(ways.values()))
        ways[f"protoclip ({arguments.precision})"] = lambda: ours.embed(texts)
        times: dict[str, list[float]] = {way: [] for way in ways}
        for _ in range(arguments.repeats + 1):
            for way, run in ways.items():
                began = time.perf_counter()
                run()
                times[way].append(time.perf_counter() - began)
        speeds = {way: len(texts) / statistics.median(taken[1:]) for way, taken in times.items()}
        for way, speed in speeds.items():
            print(f"{way}: {speed:,.0f} captions/s")
        *originals, speed = speeds.values()
        print(f"ratio: {speed / max(originals):.2f}")
        apart = np.abs(encoder(average_padding=True).embed(texts[:64]) - theirs()[:64]).max()
        print(f"with average_padding, largest difference to the original's way: {apart:.1e}")


if __name__ == "__main__":
    main()
