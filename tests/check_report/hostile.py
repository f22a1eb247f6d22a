"""Texts that want to be more than texts, and a check whose every word is one of them."""

from __future__ import annotations

from dataclasses import replace

from monitor.check import CheckRecord, CheckStatus, summarize
from monitor.intent import Intent
from monitor.score import ComponentScore, Evidence, ItemScore, Score
from monitor.store import Closing, Store
from monitor.transcript import ToolCall
from monitor.verdict import Finding, Severity, Verdict
from tests.check_report.samples import AT, ROUNDS, begin, play, transcript
from tests.parties import intent

SCRIPT = "<script>alert(1)</script>"
TEXT = (
    f"{SCRIPT}<img src=x onerror=alert(2)> \"onload='x' </style></title></svg>--> ]]> &lt;b&gt; {{{{7*7}}}} "
    "@someone @org/team #1 org/repo#2 GH-3 https://evil.example www.evil.example a@evil.example :boom: "
    "[click](javascript:alert(3)) ![x](https://evil.example/x.png) **b** _i_ `c` ~~~ | cell | $x$ \\ "
    "</details><details open>\n```\n````\n# heading\n- item\n\n| a | b |\n|---|---|\n"
    "\x1b[31mred\x07 \u202egpj.exe \u200b\ufeff\ufffe \U000e0041"
)


def hostile_check(store: Store) -> CheckRecord:
    """A check with that text in every place that a stranger, a model or a configuration fills."""
    one: Intent = intent(id=TEXT)
    check = begin(store, "bad", suite=TEXT)
    item = ItemScore(
        id=TEXT, kind=TEXT, value=0.0, reason=TEXT, critical=True, evidence=(Evidence(turn=1, quote=TEXT[:300]),)
    )
    made = Score(
        value=0.1, reason=TEXT, gate=0.0, components=(ComponentScore(name=TEXT, value=0.1, reason=TEXT, items=(item,)),)
    )
    calls = (ToolCall(name=TEXT, arguments=TEXT, result=TEXT, is_error=True),)
    said = transcript(AT, said=(TEXT, TEXT * 2, TEXT), detail=TEXT, calls=calls)
    played = [
        replace(conversation, score=made, transcript=said)
        for conversation in play("bad", {TEXT: (0.1,) * ROUNDS}, (one,))
    ]
    for conversation in played:
        store.save_conversation(conversation, None)
    verdict = Verdict(
        scope=TEXT, rule=TEXT, finding=Finding.BREACH, severity=Severity.CRITICAL, reason=TEXT, value=0.1, threshold=0.7
    )
    ended = replace(
        check, status=CheckStatus.DEGRADED, reason=TEXT, finished_at=AT, summary=summarize(played, (one,), ROUNDS)
    )
    store.close_check(Closing(check=ended, verdicts=(verdict,)))
    return ended
