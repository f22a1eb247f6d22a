"""Turns a GGUF file of a Llama-architecture model into a folder that `from_pretrained` reads at once."""

from __future__ import annotations

from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, GgufConfig, LlamaConfig, LlamaForCausalLM


def convert(file: Path, folder: Path) -> None:
    """Write the weights (bfloat16, dequantised) and tokenizer of the GGUF `file` into the existing `folder`."""
    place, name = str(file.parent), file.name
    loaded = AutoModelForCausalLM.from_pretrained(
        place, gguf_file=name, quantization_config=GgufConfig(dequantize=True), dtype=torch.float32
    )
    # What from_pretrained made of a GGUF refuses to be saved; the same weights in a fresh model do not.
    if hasattr(loaded.config, "quantization_config"):
        del loaded.config.quantization_config
    assert isinstance(loaded.config, LlamaConfig)
    fresh = LlamaForCausalLM(loaded.config)
    fresh.load_state_dict(loaded.state_dict())
    fresh.bfloat16().save_pretrained(folder)
    AutoTokenizer.from_pretrained(place, gguf_file=name).save_pretrained(folder)
