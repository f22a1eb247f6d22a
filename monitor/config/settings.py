"""The whole configuration as it is written, and the sections that tell where results go."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from monitor.config.alerting import AlertingSettings
from monitor.config.assistants import AssistantSettings
from monitor.config.canaries import CanariesSettings
from monitor.config.durations import Duration
from monitor.config.experience import why_not
from monitor.config.fields import (
    Address,
    Folder,
    ListenAddress,
    Many,
    Name,
    Pattern,
    Section,
    Url,
    wrong,
)
from monitor.config.judge import NO_JUDGE, JudgeSettings, with_quality
from monitor.config.maintenance import MaintenanceSettings, check_names
from monitor.config.notify import NotifySettings
from monitor.config.secrets import Secret, SecretEnv, SecretFile
from monitor.config.simulator import SimulatorSettings
from monitor.config.state_sources import StateSourceSettings
from monitor.config.suites import ScoringSettings, SuiteSettings

DEFAULT_STATE_DIR = Path("/var/lib/assistant-monitor")


def _database(url: str) -> str:
    """The URL itself. Raises ValueError for other databases."""
    if not url.startswith(("sqlite:///", "postgresql://", "postgresql+psycopg://")):
        raise ValueError("not a database URL; write sqlite:////path/file.sqlite3 or postgresql://host/name")
    return url


def _open_database(url: str) -> str:
    """The URL itself. Raises ValueError when it shows a password or names another database."""
    if urlsplit(url).password is not None or "password" in url.lower():
        raise ValueError("a database URL with credentials in it; move it to url_file or url_env")
    return _database(url)


def _secret_database(secret: Secret | None) -> Secret | None:
    if secret is not None:
        _database(secret.reveal())
    return secret


class StoreSettings(Section):
    """The database; by default an SQLite file in `state_dir`."""

    url: Annotated[str, AfterValidator(_open_database)] | None = None
    """Without a password; with one use `url_file` or `url_env`."""
    url_file: Annotated[SecretFile | None, AfterValidator(_secret_database)] = None
    url_env: Annotated[SecretEnv | None, AfterValidator(_secret_database)] = None
    retention_days: int = Field(default=90, ge=1, le=36_500)
    """After this long conversations are deleted, and silences that are over; checks and incidents stay."""
    audit_days: int = Field(default=400, ge=1, le=36_500)
    """After this long the record of what people did is deleted."""
    lease_seconds: Duration = Field(default=120.0, alias="lease", ge=1.0, le=3600.0)
    """How long a daemon that falls silent keeps its slot; it renews while it runs a check."""

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if sum(source is not None for source in (self.url, self.url_file, self.url_env)) > 1:
            raise wrong(("", "the database is named more than once; keep one of url, url_file, url_env"))
        return self


class WebSettings(Section):
    """Where the daemon listens; `null` turns a listener off."""

    metrics: ListenAddress | None = Address("127.0.0.1", 9464)
    """Metrics and health, without any text of conversations."""
    pages: ListenAddress | None = Address("127.0.0.1", 9465)
    """Pages and API, with conversations."""
    badge: bool = False
    """Whether everybody who reaches the pages may see how each suite stands as a picture, without the token."""
    pages_token_file: SecretFile | None = None
    pages_token_env: SecretEnv | None = None

    @property
    def pages_token(self) -> Secret | None:
        """What a visitor must present, if anything."""
        return self.pages_token_file or self.pages_token_env

    @model_validator(mode="after")
    def _is_safe(self) -> Self:
        if self.pages_token_file and self.pages_token_env:
            raise wrong(("pages_token_env", "the secret is named twice; keep pages_token_file or pages_token_env"))
        if self.pages and not self.pages.is_loopback and self.pages_token is None:
            text = "conversations would be open to the network; listen on 127.0.0.1 or add pages_token_file"
            raise wrong(("pages", text))
        if self.pages and self.metrics and self.pages.port == self.metrics.port != 0:
            raise wrong(("pages", "the same port as metrics; choose another"))
        return self


class RedactSettings(Section):
    """What is replaced by `[redacted:name]` before anything is stored, besides secrets."""

    patterns: dict[Name, Pattern] = Field(default_factory=dict, max_length=100)


class LoggingSettings(Section):
    """The daemon's log."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["json", "text"] = "json"


class Settings(Section):
    """Configuration of assistant-monitor."""

    app: str = Field(default="assistant-monitor", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")
    """First part of every alert's key."""
    environment: str = Field(default="production", pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$")
    """Second part of every alert's key."""
    public_url: Url | None = None
    """Where people reach the pages; the base of links in alerts."""
    state_dir: Folder = DEFAULT_STATE_DIR
    """Folder of the database and of models."""
    simulator: SimulatorSettings
    assistants: dict[Name, AssistantSettings] = Field(min_length=1)
    suites: dict[Name, SuiteSettings] = Field(min_length=1)
    state_sources: dict[Name, StateSourceSettings] = Field(default_factory=dict, max_length=100)
    """Systems that checklist items of the kind `state` ask, by name."""
    scoring: ScoringSettings = ScoringSettings()
    judge: JudgeSettings | None = None
    canaries: CanariesSettings = CanariesSettings()
    alerting: AlertingSettings = AlertingSettings()
    notify: NotifySettings = NotifySettings()
    maintenance: Annotated[Many[MaintenanceSettings], AfterValidator(check_names)] = Field(default=(), max_length=100)
    """When nobody is to be told."""
    store: StoreSettings = StoreSettings()
    server: WebSettings = WebSettings()
    redact: RedactSettings = RedactSettings()
    logging: LoggingSettings = LoggingSettings()

    def threshold(self, suite_name: str) -> float:
        """What a suite's average is held against."""
        own = self.suites[suite_name].threshold
        return self.alerting.threshold if own is None else own

    @model_validator(mode="before")
    @classmethod
    def _weigh_what_a_judge_measures(cls, data: object) -> object:
        return with_quality(data)

    @model_validator(mode="after")
    def _components_are_measurable(self) -> Self:
        why = {
            "quality": NO_JUDGE if self.judge is None else None,
            "experience": why_not(self.simulator, self.scoring.experience),
        }
        on = self.scoring.weights
        if problems := [(f"scoring.weights.{name}", text) for name, text in why.items() if text and name in on]:
            raise wrong(*problems)
        return self
