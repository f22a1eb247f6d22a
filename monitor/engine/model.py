"""A model loaded from a folder and found fit to serve. Knows nothing of requests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch
from tokenizers import Tokenizer
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import logging as transformers_logging

from monitor.engine.attention import ATTENTION_NAME, KeyValues, KeyValueShape, Segment, segment
from monitor.engine.refusal import Refusal
from monitor.engine.settings import EngineSettings
from monitor.engine.vocabulary import ChatTemplate, Vocabulary
from monitor.errors import EngineFailure


@dataclass(frozen=True, slots=True)
class Model:
    """Weights on their device with their tokenizer; `max_context` is the window served, in tokens."""

    network: PreTrainedModel
    vocabulary: Vocabulary
    shape: KeyValueShape
    max_context: int

    def key_values(self) -> KeyValues:
        """Room for one conversation."""
        return KeyValues(self.shape)

    @torch.inference_mode()
    def forward(self, ids: Sequence[int], packed: Sequence[Segment], wanted: Sequence[int]) -> Tensor:
        """Logits `[wanted, vocabulary]` of the packed tokens at the offsets `wanted`."""
        device = self.shape.device
        positions = [place for part in packed for place in range(part.start, part.end)]
        answer = self.network(
            input_ids=torch.tensor([ids], device=device),
            position_ids=torch.tensor([positions], device=device),
            use_cache=False,
            logits_to_keep=torch.tensor(wanted, dtype=torch.long, device=device),
            packed=packed,
        )
        return cast(Tensor, answer.logits)[0]


def load(folder: Path, settings: EngineSettings) -> Model:
    """The model in `folder` on the device asked for, after its self-test. Raises EngineFailure saying what is wrong."""
    device = _device(settings.device)
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        loaded: object = AutoModelForCausalLM.from_pretrained(
            folder,
            dtype=getattr(torch, settings.dtype),
            attn_implementation=ATTENTION_NAME,
            trust_remote_code=False,
            local_files_only=True,
            output_loading_info=True,
        )
        network, report = cast("tuple[PreTrainedModel, dict[str, set[str]]]", loaded)
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    except Exception as exc:
        # A damaged folder makes the libraries raise nearly anything.
        raise EngineFailure(f"the model in {folder} cannot be loaded: {type(exc).__name__}: {exc}") from exc
    if missing := sorted(report["missing_keys"]):
        raise EngineFailure(f"the model in {folder} lacks weights: {', '.join(missing[:5])}")
    network.train(False)
    torch.nn.Module.to(network, device)
    vocabulary = _vocabulary(folder, network, tokenizer)
    try:
        shape = KeyValueShape.of(network.config, network.dtype, device)
    except ValueError as exc:
        raise EngineFailure(f"the model in {folder} cannot be served: {exc}") from exc
    built_for = int(network.config.max_position_embeddings)
    model = Model(network, vocabulary, shape, min(settings.max_context or built_for, built_for))
    _check(model, folder)
    return model


def _device(name: str) -> torch.device:
    if name == "cuda" and not torch.cuda.is_available():
        why = "this torch was built without CUDA" if torch.version.cuda is None else "no usable NVIDIA GPU or driver"
        raise EngineFailure(f"device cuda was asked for but is not there ({why}); to run on the CPU say so: device cpu")
    return torch.device(name)


def _check(model: Model, folder: Path) -> None:
    for name, weight in model.network.named_parameters():
        if not bool(torch.isfinite(weight).all()):
            raise EngineFailure(f"the weights in {folder} are damaged: {name} holds values that are not numbers")
    rows, size = cast(Tensor, model.network.get_input_embeddings().weight).shape[0], model.vocabulary.size
    if size > rows:
        raise EngineFailure(f"tokenizer and weights in {folder} do not match: {size} tokens, {rows} embeddings")
    room = model.key_values()
    room.reserve(2)
    try:
        logits = model.forward([0, 1], [segment(room, start=0, length=2, offset=0)], [1])
    except RuntimeError as exc:
        raise EngineFailure(f"the model in {folder} cannot compute on {model.shape.device}: {exc}") from exc
    if not bool(torch.isfinite(logits).all()):
        raise EngineFailure(f"the model in {folder} computes values that are not numbers on {model.shape.device}")


def _vocabulary(folder: Path, network: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> Vocabulary:
    file = folder / "tokenizer.json"
    # The file is what clients tokenise with; what transformers makes of it may differ by the class it picks.
    raw = Tokenizer.from_file(str(file)) if file.is_file() else tokenizer.backend_tokenizer
    raw.no_truncation()
    raw.no_padding()
    template = tokenizer.chat_template
    if isinstance(template, dict):
        template = template.get("default")
    return Vocabulary(
        tokenizer=raw,
        size=raw.get_vocab_size(with_added_tokens=True),
        bos_id=tokenizer.bos_token_id,
        eos_ids=_end_ids(network, tokenizer),
        template_text=template,
        template=_template(tokenizer) if template else None,
    )


def _end_ids(network: PreTrainedModel, tokenizer: PreTrainedTokenizerBase) -> tuple[int, ...]:
    """Every id that any of the model's files calls an end: they are known to disagree."""
    named = [network.config.eos_token_id, tokenizer.eos_token_id]
    if network.generation_config is not None:
        named.append(network.generation_config.eos_token_id)
    flat = [one for value in named for one in (value if isinstance(value, list) else [value])]
    return tuple(sorted({int(value) for value in flat if value is not None}))


def _template(tokenizer: PreTrainedTokenizerBase) -> ChatTemplate:
    def render(messages: list[dict[str, str]]) -> str:
        try:
            return str(tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True))
        except Exception as exc:
            # Templates raise their own errors for roles that they do not know.
            raise Refusal(f"the chat template refuses these messages: {exc}", param="messages") from exc

    return render
