"""A model loaded from a folder, found fit to serve, with the fastest attention that works on its device.

Knows nothing of requests.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch
from tokenizers import Tokenizer
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import logging as transformers_logging

from monitor.engine.attention import ATTENTION_NAME, SdpaAttention, Segment
from monitor.engine.graphs import DecodeGraphs, cuda_recorder
from monitor.engine.keyvalues import KeyValues, KeyValueShape
from monitor.engine.refusal import Refusal
from monitor.engine.settings import EngineSettings
from monitor.engine.transfer import indices
from monitor.engine.varlen import Kernel, VarlenAttention, flash_kernel
from monitor.engine.vocabulary import ChatTemplate, Vocabulary
from monitor.errors import EngineFailure

log = logging.getLogger(__name__)
GIB = 2**30
STEP_BYTES = 3 * GIB
"""What a step of 8192 tokens, the sampler and CUDA's own things are taken to need."""
TOLERANCE = 0.25
"""Most that a logit may differ between two ways of computing it in half precision, in standard deviations of logits."""


@dataclass(slots=True)
class Model:
    """Weights on their device with their tokenizer; `max_context` is the window served, in tokens.

    `kernel` and `graphs` are None where the device has none, or where they did not agree with plain attention.
    """

    network: PreTrainedModel
    vocabulary: Vocabulary
    key_values: KeyValues
    max_context: int
    kernel: Kernel | None = None
    graphs: DecodeGraphs | None = None

    @torch.inference_mode()
    def forward(self, ids: Sequence[int], segments: Sequence[Segment], wanted: Sequence[int]) -> Tensor:
        """Logits `[wanted, vocabulary]` of the packed tokens at the offsets `wanted`; the next call may overwrite them.

        The pool has room for every segment.
        """
        if self.graphs is not None and len(wanted) == len(segments) and all(part.is_row for part in segments):
            return self.graphs.forward(ids, segments)
        device = self.key_values.shape.device
        answer = self.network(
            input_ids=indices([ids], device),
            position_ids=indices([[place for part in segments for place in part.positions]], device),
            use_cache=False,
            logits_to_keep=indices(wanted, device),
            packed=self._attention(segments),
        )
        return cast(Tensor, answer.logits)[0]

    def _attention(self, segments: Sequence[Segment]) -> VarlenAttention | SdpaAttention:
        if self.kernel is None or any(part.branches for part in segments):
            return SdpaAttention(self.key_values, segments)
        return VarlenAttention.of(self.kernel, self.key_values, segments)


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
    try:
        model = fit(network, _vocabulary(folder, network, tokenizer), settings)
    except ValueError as exc:
        raise EngineFailure(f"the model in {folder} cannot be served: {exc}") from exc
    _check(model, folder)
    speed_up(model, settings)
    return model


def fit(network: PreTrainedModel, vocabulary: Vocabulary, settings: EngineSettings) -> Model:
    """The network with room for its conversations. Raises ValueError for a kind of network that is not supported."""
    shape = KeyValueShape.of(network.config, network.dtype, network.device)
    built_for = int(network.config.max_position_embeddings)
    max_context = min(settings.max_context or built_for, built_for)
    return Model(network, vocabulary, _pool(shape, settings.max_slots, max_context), max_context)


def _pool(shape: KeyValueShape, slots: int, tokens: int) -> KeyValues:
    """Room for the conversations, and for one more slot that nobody owns."""
    try:
        return KeyValues(shape, slots=slots + 1, tokens=tokens)
    except RuntimeError as exc:
        free, _ = torch.cuda.mem_get_info(shape.device)
        each = shape.token_bytes * tokens
        raise EngineFailure(
            f"{slots} conversations of {tokens} tokens take {slots * each / GIB:.1f} GiB of GPU memory, but "
            f"{free / GIB:.1f} GiB are free beside the weights: set max_slots to at most {_fitting(free, each)}, "
            "or a smaller max_context"
        ) from exc


def _fitting(free: int, each: int) -> int:
    """How many slots leave room for the step itself and for the one slot that nobody owns."""
    return max((free - STEP_BYTES) // each - 1, 0)


def speed_up(model: Model, settings: EngineSettings) -> None:
    """Use the flash kernel and CUDA graphs where they are there and compute what plain attention computes."""
    pool, spare = model.key_values, settings.max_slots
    kernel = flash_kernel(pool.shape.dtype, pool.shape.device)
    if kernel is None:
        return
    expected = _sample(model, spare)
    try:
        model.kernel = kernel
        _agree(_sample(model, spare), expected)
    except Exception as exc:  # noqa: BLE001 - another torch's kernel may refuse in any way; plain attention is there
        log.warning("event=flash_attention_off reason=%s", _first_line(exc))
        model.kernel = None
        return
    try:
        recorder = cuda_recorder()
        with torch.inference_mode():
            graphs = DecodeGraphs(model.network, pool, kernel, most=settings.max_slots, spare=spare, record=recorder)
        model.graphs = graphs
        _agree(_sample(model, spare), expected)
    except Exception as exc:  # noqa: BLE001 - as above
        log.warning("event=cuda_graphs_off reason=%s", _first_line(exc))
        model.graphs = None


def _sample(model: Model, most: int) -> Tensor:
    """Logits of up to three conversations of unequal length, in slots apart, after prompts and one decoded token."""
    slots = sorted({0, most // 2, most})
    prompts = [
        Segment(slot, 0, 3 + 5 * at, sum(3 + 5 * before for before in range(at))) for at, slot in enumerate(slots)
    ]
    tokens = sum(part.length for part in prompts)
    model.forward([at % 7 for at in range(tokens)], prompts, [tokens - 1])
    rows = [Segment(part.slot, part.end, 1, at) for at, part in enumerate(prompts)]
    return model.forward([3] * len(rows), rows, list(range(len(rows)))).float().clone()


def _agree(found: Tensor, expected: Tensor) -> None:
    spread = float(expected.std())
    difference = float((found - expected).abs().max())
    if not difference < TOLERANCE * spread:
        raise RuntimeError(
            f"logits differ by {difference:.3g} from those of plain attention; they spread by {spread:.3g}"
        )


def _first_line(exc: BaseException) -> str:
    return (str(exc).strip().splitlines() or [type(exc).__name__])[0][:300]


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
    device = model.key_values.shape.device
    try:
        model.key_values.reserve(1, 2)
        logits = model.forward([0, 1], [Segment(slot=0, start=0, length=2, offset=0)], [1])
    except RuntimeError as exc:
        raise EngineFailure(f"the model in {folder} cannot compute on {device}: {exc}") from exc
    if not bool(torch.isfinite(logits).all()):
        raise EngineFailure(f"the model in {folder} computes values that are not numbers on {device}")


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
