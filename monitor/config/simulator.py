"""Section `simulator`: who plays the users, on what, and within which bounds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, ValidationInfo, model_validator

from monitor.config.durations import Duration
from monitor.config.fields import UNIX, Count, Folder, Many, Section, Seed, ServerUrl, Share, Text, wrong
from monitor.config.secrets import Secret, SecretEnv, SecretFile, surroundings

PRESETS: dict[str, dict[str, Any]] = {
    "paper": {
        "banned_first_words": ["I", "You", "Here", "i", "you", "here"],
        "ban_leading_punctuation": False,
        "end_banned_turns": 0,
        "min_words": 3,
        "max_words": 25,
        "reject_intent": True,
        "repeat_temperature": None,
        "repeat_top_p": None,
    },
    "blog": {
        "banned_first_words": [],
        "ban_leading_punctuation": True,
        "end_banned_turns": 3,
        "min_words": 10,
        "max_words": 256,
        "reject_intent": False,
        "repeat_temperature": 1.2,
        "repeat_top_p": 0.9,
    },
}


def _folder_or_id(name: str, info: ValidationInfo) -> str:
    return str(surroundings(info).path(name)) if name.startswith(("./", "../")) else name


class ModelSettings(Section):
    """The language model that the engine loads."""

    name: Annotated[Text, AfterValidator(_folder_or_id)]
    """Id on a model hub, or a folder (absolute, or `./...` from the configuration's folder), or `smollm2`."""
    revision: str | None = Field(default=None, pattern=r"^[0-9a-f]{40}$")
    """Commit of the hub's repository, 40 hex digits. Without one the weights may change under the monitor."""
    device: Literal["cuda", "cpu"] = "cuda"
    """There is no falling back from one to the other."""
    dtype: Literal["bfloat16", "float32"] = "bfloat16"
    """What the weights are loaded as."""
    cache_dir: Folder | None = None
    """Where weights from a hub are kept; by default `models` in `state_dir`."""


class EngineSettings(Section):
    """The process that holds the model: the daemon's child, or `engine --config` as a service of its own."""

    startup_timeout_seconds: Duration = Field(default=900.0, alias="startup_timeout")
    """How long loading the model may take."""
    unload_after_seconds: Duration | None = Field(default=None, alias="unload_after")
    """The daemon's child is ended when no check has used it for so long; by default it stays loaded."""
    threads: int | None = Field(default=None, ge=1, le=1024)
    """CPU threads; by default what torch finds."""
    max_context: int = Field(default=2048, ge=64, le=1_000_000)
    """Tokens that one conversation may have."""
    max_batch_tokens: int = Field(default=8192, ge=16, le=10_000_000)
    """Tokens that one step of the model works on."""
    max_slots: int = Field(default=192, ge=1, le=100_000)
    """Conversations whose keys and values are kept."""
    queue: Count = 1024
    """Requests that may wait; more are refused."""


class ServerSettings(Section):
    """A completions server: elsewhere, or the engine as a service of its own."""

    url: ServerUrl
    """Base URL, up to and without `/v1`; or `unix:///folder/name.sock`."""
    model: Text | None = None
    """Name of the model there, for servers with several."""
    kind: Literal["assistant-monitor", "vllm", "sglang"] | None = None
    """What it is, where a gateway before it hides that; by default what its `/v1/models` says (`owned_by`)."""
    api_key_file: SecretFile | None = None
    api_key_env: SecretEnv | None = None

    @property
    def socket(self) -> Path | None:
        """The Unix socket, if it is one."""
        return Path(self.url.removeprefix(UNIX)) if self.url.startswith(UNIX) else None

    @property
    def api_key(self) -> Secret | None:
        """The key, if one is configured."""
        return self.api_key_file or self.api_key_env

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if self.api_key_file and self.api_key_env:
            raise wrong(("api_key_env", "the secret is named twice; keep api_key_file or api_key_env"))
        return self


class SamplingSettings(Section):
    """How a user's turn is drawn. The defaults are UserLM's model card."""

    temperature: float = Field(default=1.0, ge=0, le=10)
    top_p: Share = 0.8
    max_tokens: int = Field(default=256, ge=1, le=100_000)
    """Longest turn, in tokens."""


class GuardrailSettings(Section):
    """Bounds of a user's turn. A turn that breaks one is sampled again, never edited. `preset` fills in what is left
    out.
    """

    preset: Literal["paper", "blog"] = "paper"
    tries: int = Field(default=8, ge=1, le=100)
    banned_first_words: Many[Text] = tuple(PRESETS["paper"]["banned_first_words"])
    ban_leading_punctuation: bool = False
    end_banned_turns: int = Field(default=0, ge=0, le=1000)
    """User turns before the user may end the conversation (an intent's own `min_turns` holds as well)."""
    min_words: int = Field(default=3, ge=1, le=100_000)
    max_words: int = Field(default=25, ge=1, le=100_000)
    reject_repeats: bool = True
    """Refuse a turn equal to an earlier one of the user."""
    reject_intent: bool = True
    """Refuse a turn equal to the intent's description."""
    repeat_temperature: float | None = Field(default=None, gt=0, le=10)
    """Temperature of the try after a repetition."""
    repeat_top_p: Share | None = None

    @model_validator(mode="before")
    @classmethod
    def _fill_in_preset(cls, data: object) -> object:
        if not isinstance(data, dict):
            return data
        name = data.get("preset", "paper")
        return (PRESETS.get(name, {}) if isinstance(name, str) else {}) | data

    @model_validator(mode="after")
    def _length_is_possible(self) -> Self:
        if self.min_words > self.max_words:
            raise wrong(("min_words", f"{self.min_words} is above max_words ({self.max_words}); lower it"))
        return self


class SimulatorSettings(Section):
    """Who plays the users."""

    kind: Literal["userlm", "prompted", "scripted"] = "userlm"
    """`userlm`: a model trained to play the user; `prompted`: any other model, by example; `scripted`: fixed turns."""
    model: ModelSettings | None = None
    """The model of the engine: the daemon's child, or with `servers` what `engine --config` serves."""
    engine: EngineSettings = EngineSettings()
    servers: Many[ServerSettings] = ()
    """Completions servers that are used in place of an engine of our own; all serve one model."""
    tokenizer: Folder | None = None
    """Folder with `tokenizer.json`, for servers elsewhere that do not hand theirs out."""
    sampling: SamplingSettings = SamplingSettings()
    guardrails: GuardrailSettings = GuardrailSettings()
    window: int = Field(default=2048, ge=64, le=1_000_000)
    """Tokens of a conversation that the model is shown, its next turn included."""
    run_seed: Seed | None = None
    """A fixed seed for every check; by default each check has a fresh one."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        problems = []
        if self.kind != "scripted" and self.model is None and not self.servers:
            problems.append(("model", f"kind {self.kind} needs a model; add model or servers"))
        has_engine = self.model is not None and all(server.socket for server in self.servers)
        if has_engine and self.window > self.engine.max_context:
            problems.append(("window", f"is above engine.max_context ({self.engine.max_context}); lower it"))
        if self.engine.unload_after_seconds is not None and self.servers:
            text = "only an engine that is the daemon's child is unloaded, and with servers there is none; leave it out"
            problems.append(("engine.unload_after", text))
        places = [server.url.partition("?")[0] for server in self.servers]
        if twice := next((place for place in places if places.count(place) > 1), None):
            problems.append(("servers", f"{twice} is named twice; keep one"))
        if self.sampling.max_tokens >= self.window:
            problems.append(("sampling.max_tokens", f"leaves no room in the window ({self.window}); lower it"))
        if problems:
            raise wrong(*problems)
        return self
