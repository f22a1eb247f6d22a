"""Section `notify`: the channels, and which incidents are told where."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, StrictStr, model_validator

from monitor.config.dead_man import DeadManSettings
from monitor.config.durations import Duration
from monitor.config.fields import Many, Name, Section, Text, Url, check_url, wrong
from monitor.config.secrets import Secret, SecretEnv, SecretFile

SLACK_URL = "https://slack.com/api/"
PAGERDUTY_URL = "https://events.pagerduty.com/v2/enqueue"
OWN_LABELS = ("about", "alertname", "app", "environment", "scope", "severity", "suite")

LabelName = Annotated[StrictStr, Field(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]{0,62}$")]
ScopePattern = Annotated[StrictStr, Field(pattern=r"^[a-z0-9_*-]+(/[a-z0-9_.*-]+)?$", max_length=200)]
SeverityName = Literal["critical", "error", "warning", "info"]


def _address(secret: Secret | None) -> Secret | None:
    if secret is not None:
        check_url(secret.reveal())
    return secret


class SlackSettings(Section):
    """Slack, by a bot's token and a channel, or by an incoming webhook."""

    token_file: SecretFile | None = None
    token_env: SecretEnv | None = None
    channel: Text | None = None
    """Name or id of the channel; for a token."""
    webhook_url_file: Annotated[SecretFile | None, AfterValidator(_address)] = None
    webhook_url_env: Annotated[SecretEnv | None, AfterValidator(_address)] = None
    base_url: Url = SLACK_URL
    """Where Slack's API is; for a token."""

    @property
    def token(self) -> Secret | None:
        """The bot's token, if that is the way."""
        return self.token_file or self.token_env

    @property
    def webhook_url(self) -> Secret | None:
        """The webhook, if that is the way."""
        return self.webhook_url_file or self.webhook_url_env

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        sources = [self.token_file, self.token_env, self.webhook_url_file, self.webhook_url_env]
        if sum(source is not None for source in sources) != 1:
            text = "needs one way in; write one of token_file, token_env, webhook_url_file, webhook_url_env"
            raise wrong(("", text))
        if self.token and self.channel is None:
            raise wrong(("channel", "is needed with a token; write the channel to post in"))
        if self.webhook_url and self.channel is not None:
            raise wrong(("channel", "a webhook has its own channel; remove this one"))
        return self


class PagerDutySettings(Section):
    """PagerDuty, by the routing key of an Events v2 integration."""

    routing_key_file: SecretFile | None = None
    routing_key_env: SecretEnv | None = None
    url: Url = PAGERDUTY_URL

    @property
    def routing_key(self) -> Secret:
        """The routing key."""
        key = self.routing_key_file or self.routing_key_env
        assert key is not None, "validated"
        return key

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.routing_key_file is None) == (self.routing_key_env is None):
            raise wrong(("", "name the routing key once; write routing_key_file or routing_key_env"))
        return self


class WebhookSettings(Section):
    """A webhook of anybody's; every body is signed."""

    url: Url | None = None
    url_file: Annotated[SecretFile | None, AfterValidator(_address)] = None
    url_env: Annotated[SecretEnv | None, AfterValidator(_address)] = None
    """For an address that is itself a secret."""
    secret_file: SecretFile | None = None
    secret_env: SecretEnv | None = None
    """What bodies are signed with; the receiver knows it too."""

    @property
    def address(self) -> Secret:
        """Where to post."""
        address = self.url_file or self.url_env or (Secret(self.url, self.url) if self.url else None)
        assert address is not None, "validated"
        return address

    @property
    def secret(self) -> Secret:
        """The key of the signatures."""
        secret = self.secret_file or self.secret_env
        assert secret is not None, "validated"
        return secret

    @model_validator(mode="after")
    def _one_of_each(self) -> Self:
        if sum(source is not None for source in (self.url, self.url_file, self.url_env)) != 1:
            raise wrong(("", "name the address once; write one of url, url_file, url_env"))
        if (self.secret_file is None) == (self.secret_env is None):
            raise wrong(("", "name the secret once; write secret_file or secret_env"))
        return self


class AlertmanagerSettings(Section):
    """Prometheus' Alertmanager."""

    url: Url
    """Its root; `/api/v2/alerts` is added."""
    token_file: SecretFile | None = None
    token_env: SecretEnv | None = None
    """A bearer's token, for a proxy before it."""
    labels: dict[LabelName, Text] = Field(default_factory=dict, max_length=20)
    """Added to every alert."""

    @property
    def token(self) -> Secret | None:
        """The token, if there is one."""
        return self.token_file or self.token_env

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.token_file and self.token_env:
            raise wrong(("token_env", "the secret is named twice; keep token_file or token_env"))
        if taken := [name for name in self.labels if name in OWN_LABELS]:
            raise wrong(*((f"labels.{name}", "is set by the monitor itself; choose another name") for name in taken))
        return self


class AppriseSettings(Section):
    """Any service that Apprise knows, by its address; needs the extra `apprise`."""

    url_file: SecretFile | None = None
    url_env: SecretEnv | None = None

    @property
    def url(self) -> Secret:
        """The address."""
        url = self.url_file or self.url_env
        assert url is not None, "validated"
        return url

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.url_file is None) == (self.url_env is None):
            raise wrong(("", "name the address once; write url_file or url_env"))
        if find_spec("apprise") is None:
            raise wrong(("", "Apprise is not installed; install assistant-monitor[apprise]"))
        return self


class NamedSlack(SlackSettings):
    """Slack, once more."""

    kind: Literal["slack"]


class NamedPagerDuty(PagerDutySettings):
    """PagerDuty, once more."""

    kind: Literal["pagerduty"]


class NamedWebhook(WebhookSettings):
    """A webhook, once more."""

    kind: Literal["webhook"]


class NamedAlertmanager(AlertmanagerSettings):
    """Alertmanager, once more."""

    kind: Literal["alertmanager"]


class NamedApprise(AppriseSettings):
    """Apprise, once more."""

    kind: Literal["apprise"]


ChannelSettings = SlackSettings | PagerDutySettings | WebhookSettings | AlertmanagerSettings | AppriseSettings
NamedChannel = Annotated[
    NamedSlack | NamedPagerDuty | NamedWebhook | NamedAlertmanager | NamedApprise, Field(discriminator="kind")
]


class MatchSettings(Section):
    """Which incidents; of each list any entry, and without entries all."""

    severities: Many[SeverityName] = ()
    scopes: Many[ScopePattern] = ()
    """`suite/overall`, `suite/intent` and, of the monitor itself, `monitor/...`; `*` stands for anything."""
    tags: Many[Name] = ()
    """Tags of intents."""


class EscalateSettings(Section):
    """A step of escalation."""

    after_seconds: Duration = Field(alias="after")
    """Counted from when the incident was first told; an acknowledgement stops it."""
    channels: Many[Name] = Field(min_length=1)


class RouteSettings(Section):
    """Who is told of some incidents."""

    match: MatchSettings = MatchSettings()
    channels: Many[Name]
    """Names of channels; `[]` tells nobody."""
    escalate: Many[EscalateSettings] = ()
    goes_on: bool = Field(default=False, alias="continue")
    """Look at the routes behind this one too."""

    @model_validator(mode="after")
    def _can_escalate(self) -> Self:
        if self.escalate and not self.channels:
            raise wrong(("escalate", "counts from when somebody was told, and nobody is; add channels"))
        return self


class NotifySettings(Section):
    """Who is told of incidents."""

    slack: SlackSettings | None = None
    pagerduty: PagerDutySettings | None = None
    webhook: WebhookSettings | None = None
    alertmanager: AlertmanagerSettings | None = None
    apprise: AppriseSettings | None = None
    channels: dict[Name, NamedChannel] = Field(default_factory=dict, max_length=100)
    """Further channels by name, each with its `kind`."""
    routes: Many[RouteSettings] = Field(default=(), max_length=200)
    """In order: the first that matches says who is told. Without any, every channel is told of everything."""
    dead_man: DeadManSettings | None = None
    """Pinged after each check that was stored, decided and told."""

    @property
    def by_name(self) -> dict[str, ChannelSettings]:
        """Every channel."""
        own = {name: getattr(self, name) for name in _KINDS}
        return {name: channel for name, channel in own.items() if channel is not None} | dict(self.channels)

    @model_validator(mode="after")
    def _names_are_free(self) -> Self:
        if taken := [name for name in self.channels if name in _KINDS]:
            raise wrong(*((f"channels.{name}", f"is the name of notify.{name}; choose another") for name in taken))
        return self


_KINDS = ("slack", "pagerduty", "webhook", "alertmanager", "apprise")
