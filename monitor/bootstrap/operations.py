"""What people and time do to alerts, with the configuration's routes and rules."""

from __future__ import annotations

from monitor.bootstrap.parts import utc_now
from monitor.briefing import Surroundings
from monitor.closing import overall_scope
from monitor.config import Config
from monitor.config.own_parts import own_parts, own_scopes
from monitor.config.routes import alert_policy
from monitor.config.rules import rules_policy
from monitor.machine import AlertPolicy
from monitor.operations import Operations
from monitor.rules.monitor import Part, scope_of
from monitor.rules.policy import RulesPolicy
from monitor.selfwatch.outbox import LOST_WITHIN, failing, told_elsewhere
from monitor.store import Store


def open_operations(config: Config, store: Store, base_url: str | None = None) -> Operations:
    """`base_url`: where the pages are, for links; by default `public_url`."""
    settings = config.settings
    watched = {overall_scope(name) for name in config.suites}
    watched |= {f"{name}/{intent.id}" for name, suite in config.suites.items() for intent in suite.intents}
    own = {*own_scopes(config.suites, own_parts(settings))}
    any_suite = next(iter(config.suites.values()))

    def policy_of(scope: str) -> AlertPolicy:
        suite = config.suites.get(scope.rpartition("/")[0], any_suite)
        return alert_policy(settings.notify, suite, scope, maintenance=config.maintenance)

    def policy_or_elsewhere(scope: str) -> AlertPolicy:
        policy = policy_of(scope)
        if scope != scope_of(Part.DELIVERY):
            return policy
        now = utc_now()
        return told_elsewhere(policy, failing(store.undelivered(since=now - LOST_WITHIN), now), settings.notify.by_name)

    def rules_of(scope: str) -> RulesPolicy | None:
        if scope in own:
            return RulesPolicy()
        return rules_policy(settings, scope.rpartition("/")[0]) if scope in watched else None

    return Operations(
        store=store,
        policy_of=policy_or_elsewhere,
        rules_of=rules_of,
        surroundings=Surroundings(
            app=settings.app, environment=settings.environment, base_url=settings.public_url or base_url
        ),
        maintenance=config.maintenance,
        now=utc_now,
    )
