"""How well scores tell known-good from known-bad conversations without a judge: those kinds that need none."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from statistics import fmean

from monitor.agreement import auc
from monitor.bootstrap.canaries import shipped_canaries
from monitor.bootstrap.studies import plain_scoring
from monitor.canary import CanaryScore, wrong_ids
from monitor.studies.canaries import Canary, judgeable, score_canaries
from tests.benchmarks.engine.report import table

LABELS = {True: "good", False: "bad"}


def measure() -> dict[str, object]:
    """The figures, by `task` and `conduct` with their default weights. Prints a table of the kinds."""
    every = shipped_canaries()
    found = asyncio.run(score_canaries(judgeable(every, has_judge=False), plain_scoring()))
    known = [(score, score.value) for score in found if score.value is not None]
    area = auc([value for _, value in known], [score.is_good for score, _ in known])
    needing = needs_judge(every)
    wrong = wrong_ids(found)
    print(table(("label", "kind", "canaries", "mean", "passed"), rows(found)))
    print(f"canaries scored wrong: {', '.join(wrong) or 'none'}")
    print(f"canaries that need a judge: {', '.join(f'{kind} ({n} of {of})' for kind, n, of in needing)}", end="\n\n")
    return {
        "canary_auc": area.value,
        "canary_auc_interval": [area.low, area.high],
        "canaries_scored": len(known),
        "canaries": len(every),
        "canary_wrong": list(wrong),
        "canary_kinds_with_judge": [kind for kind, _, _ in needing],
    }


def rows(found: Sequence[CanaryScore]) -> list[tuple[str, str, int, str, int]]:
    """Label, kind, count, mean score and how many passed."""
    kinds: dict[tuple[bool, str], list[CanaryScore]] = defaultdict(list)
    for score in sorted(found, key=lambda score: (not score.is_good, score.kind)):
        kinds[score.is_good, score.kind].append(score)
    return [
        (LABELS[is_good], kind, len(scores), _mean(scores), sum(score.passed is True for score in scores))
        for (is_good, kind), scores in kinds.items()
    ]


def needs_judge(canaries: Sequence[Canary]) -> list[tuple[str, int, int]]:
    """The kinds that need a judge, with how many canaries of the kind do, and of how many."""
    kinds = {canary.kind: [other for other in canaries if other.kind == canary.kind] for canary in canaries}
    counts = [(kind, sum(one.needs_judge for one in same), len(same)) for kind, same in sorted(kinds.items())]
    return [(kind, n, of) for kind, n, of in counts if n]


def _mean(scores: Sequence[CanaryScore]) -> str:
    values = [score.value for score in scores if score.value is not None]
    return f"{fmean(values):.3f}" if values else "not measured"
