"""How many more rounds a check needs: few when all is plainly well or plainly not, more where it is not clear yet."""

from __future__ import annotations

from dataclasses import dataclass

from monitor.rules import availability, intent, quality, regression
from monitor.rules.evidence import Evidence, IntentEvidence
from monitor.rules.memory import Memory, pooled
from monitor.rules.policy import RulesPolicy

HOPELESS_SHARE = 0.9


@dataclass(frozen=True, slots=True, kw_only=True)
class More:
    """Play `rounds` more, of the intents with these fingerprints (None: of all). `is_confirming`: to confirm a drop."""

    rounds: int
    fingerprints: frozenset[str] | None = None
    is_confirming: bool = False


def more(evidence: Evidence, memory: Memory, policy: RulesPolicy) -> More | None:
    """What to play next; None: enough was heard.

    The whole suite first. Once that is well, an intent that alone looks bad is played on by itself: conversations about
    the others would tell nothing about it. Where the whole suite is not, nobody is told of single intents. A check with
    too few valid conversations says nothing, and more of them would hardly be better.
    """
    if evidence.valid < policy.valid_share * evidence.planned:
        return None
    if policy.rounds.is_fixed or evidence.confirming_from is not None or _is_hopeless(evidence, policy):
        return None
    if next_rounds := _of_all(evidence, memory, policy):
        return next_rounds
    if memory.breached or _is_settled(evidence, memory, policy):
        return None
    return _of_some(evidence, memory, policy)


def _is_hopeless(evidence: Evidence, policy: RulesPolicy) -> bool:
    """Whether the assistant is so surely away that asking further would only burden it."""
    if policy.availability is None:
        return False
    failed, heard = evidence.errors(1)
    return failed > 0 and failed >= HOPELESS_SHARE * heard


def _of_all(evidence: Evidence, memory: Memory, policy: RulesPolicy) -> More | None:
    rounds = policy.rounds
    compared = regression.compare(evidence, memory, policy.regression, policy.baseline) if policy.regression else None
    level = 0.0
    if compared is not None and policy.regression is not None:
        level = regression.fall(memory.fall, compared, policy.regression, evidence.at).level
        if level > compared.limit and regression.NAME not in memory.breached:
            return More(rounds=rounds.confirming, is_confirming=True)
    if evidence.rounds >= rounds.most or _is_settled(evidence, memory, policy):
        return None
    if compared is not None and level >= compared.limit / 3:
        return More(rounds=min(rounds.wave, rounds.most - evidence.rounds))
    if _is_clear(evidence, memory, policy):
        return None
    return More(rounds=min(rounds.wave, rounds.most - evidence.rounds))


def _is_settled(evidence: Evidence, memory: Memory, policy: RulesPolicy) -> bool:
    """Whether a rule that pages is in breach already."""
    if policy.availability and availability.why_breached(evidence, policy.availability):
        return True
    if policy.quality is None:
        return False
    measured = pooled(evidence.strata(memory.sums()), memory.tau_squared(policy.baseline))
    return measured is not None and quality.why_breached(*measured, None, policy.quality) is not None


def _is_clear(evidence: Evidence, memory: Memory, policy: RulesPolicy) -> bool:
    """Whether the mean is surely above the threshold."""
    if policy.quality is None:
        return True
    measured = pooled(evidence.strata(memory.sums()), memory.tau_squared(policy.baseline))
    return measured is not None and quality.is_surely_healthy(*measured, policy.quality)


def _of_some(evidence: Evidence, memory: Memory, policy: RulesPolicy) -> More | None:
    """The intents that look bad by themselves: up to the most rounds, and some more before anybody is told."""
    if policy.intent is None:
        return None
    wanted = [heard for heard in evidence.intents if _is_wanted(heard, memory, policy)]
    if not wanted:
        return None
    most = policy.rounds.most + policy.rounds.confirming
    rounds = min(policy.rounds.wave, *(most - len(heard.values) for heard in wanted))
    return More(rounds=rounds, fingerprints=frozenset(heard.fingerprint for heard in wanted))


def _is_wanted(heard: IntentEvidence, memory: Memory, policy: RulesPolicy) -> bool:
    known = memory.intents.get(heard.fingerprint)
    expects = intent.expected(known, policy)
    if policy.intent is None or known is None or expects is None or known.is_breached:
        return False
    if len(heard.values) >= policy.rounds.most + policy.rounds.confirming:
        return False
    return intent.is_suspicious(heard, known, expects, policy.intent)
