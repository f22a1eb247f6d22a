"""What the words alone show of a user that is none: it speaks as an assistant, leaks control text or its reasoning,
begins anew, repeats the assistant, or changes the script.

Precise rather than eager: people repeat, quote and ask back, and none of that is unfair. Needs no judge.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import chain, pairwise

from monitor.intent import Intent
from monitor.scorers.contract import Case
from monitor.text import jaccard, normalized, shingles, shorten, words
from monitor.transcript import EndReason, Outcome, Role, Transcript, Turn

QUOTE_CHARACTERS = 120
COMPARED_CHARACTERS = 20_000
RESTARTED = 0.75
RESTART_WORDS = 4
PARROTED = 0.75
PARROT_WORDS = 8
VERBATIM_WORDS = 5


class Unfairness(StrEnum):
    """How a turn shows that its user is none."""

    ROLE_FLIP = "role_flip"
    LEAK = "leaked_text"
    RESTART = "restart"
    PARROTING = "parroting"
    WRONG_SCRIPT = "wrong_script"


@dataclass(frozen=True, slots=True, kw_only=True)
class Defect:
    """What gave an unfair user away. `turn` is the index in the transcript."""

    kind: Unfairness
    turn: int
    quote: str

    def __str__(self) -> str:
        return f"{self.kind} in turn {self.turn + 1}: {self.quote!r}"


_OFFER = r"(?:help|assist)"
_ROLE_FLIP = re.compile(
    rf"""
      \bhow\ (?:can|may|might)\ (?:i|we)\ (?:be\ of\ (?:help|assistance|service)|(?:best\ )?{_OFFER}\ you)\b
    | \bhow\ (?:can|may)\ (?:i|we)\ {_OFFER}(?:\ with\ (?:that|this)|\ today)?\s*\?
    | \b(?:let\ me|i(?:'ll|\ will|\ can))\ (?:check|look|find|book|process|arrange|order)\b[^.?!]{{0,40}}\ for\ you\b
    | \byour\ (?:order|refund|return|booking|reservation|request)\ (?:has\ been|was|is\ being|is\ now|will\ be)
        \ (?:processed|confirmed|booked|approved|shipped|refunded|placed)\b
    | \b(?:please|could\ you|can\ you)\ (?:provide|share|tell|give|enter|confirm)\ (?:me\ )?(?:with\ )?your
        \ (?:order|booking|account|reservation|ticket|tracking)\ (?:number|id|code|details)\b
    | \bwhat\ (?:can|may)\ (?:i|we)\ (?:do\ for|{_OFFER})\ you\b
    | \bas\ an?\ (?:ai|artificial\ intelligence|(?:large\ )?language\ model|virtual\ assistant)
        (?:\ (?:language\ )?(?:model|assistant))?,?\ (?:i|my|we)\b
    | \bi(?:'m|\ am)\ (?:just\ |only\ )?(?:an?\ (?:ai|(?:large\ )?language\ model|virtual\ assistant|chatbot)\b
        (?!\ \w+(?:er|ist|ant)\b)
        |(?:your|an?)\ (?:\w+\ )?assistant\b(?!\ (?:to|of|at|for|manager|professor|coach|in|with)\b)
        |here\ to\ {_OFFER}\b)
    | \bi(?:'d|\ would|'ll|\ will)\ be\ (?:more\ than\ )?(?:happy|glad|pleased|delighted)\ to\ {_OFFER}\b
    | \b(?:happy|glad)\ to\ {_OFFER}\ you\b
    | \bi\ can\ (?:certainly\ |definitely\ |also\ )?{_OFFER}\ you\b(?!\?)
    | \b(?:is|was)\ there\ anything\ else\ (?:that\ )?(?:i|we)\ can\ (?:do|help|assist)\b
    | \banything\ else\ (?:that\ )?(?:i|we)\ can\ (?:do\ for|help|assist)(?:\ you)?\b
    | \bfeel\ free\ to\ (?:ask|reach\ out|contact|let\ (?:me|us)\ know)\b
    | \b(?:if\ you\ have|do\ you\ have)\ any\ (?:other|more|further|additional)\ questions\b
    | \blet\ (?:me|us)\ know\ if\ (?:you\ (?:have|need)\ any|there(?:'s|\ is)\ anything\ else|(?:i|we)\ can)\b
    | \bthank(?:\ you|s)\ for\ (?:contacting|reaching\ out|calling|choosing|shopping\ with)\b
    | \bthank(?:\ you|s)\ for\ your\ (?:inquiry|question|order)\b
    | \bi\ hope\ (?:this|that)\ (?:information\ )?(?:helps|answers)\b
    | ^(?:sure|certainly|of\ course|absolutely)[!,.]?\ here(?:'s|\ is|\ are)\b
    """,
    re.VERBOSE | re.IGNORECASE,
)
_CONTROL = re.compile(
    r"""
      <\|[^|<>\n]{1,40}\|>
    | </?(?:think|thinking|thought|reasoning|scratchpad|reflection|im_start|im_end|s|eot|bos|eos)>
    | \[/?INST\] | <</?SYS>>
    | \[end\] | \bend_?conversation\b | <(?:start|end)_of_turn>
    | (?:^|\n)[ \t*#]*(?:assistant|user|human|system|person|goal|thought|reasoning)[ \t*]*:(?!//)
    | \byou\ are\ a\ user\ who\b
    | \bas\ the\ (?:simulated\ )?user,?\ i\b
    | \b(?:okay|ok|alright|hmm)[,.]?\ (?:so\ )?the\ user\ (?:wants|asks|asked|said|is)\b
    | ^the\ user\ (?:wants|is\ asking|asked|asks|would)\b
    | \bi\ (?:should|need\ to|must|have\ to)\ (?:respond|reply|act|answer|stay|speak)
        \ (?:as|like|in\ (?:character|the\ role))\b
    """,
    re.VERBOSE | re.IGNORECASE,
)
_ANSWER = re.compile(
    r"^(?:yes|no|sure|certainly)?[,.!]?\s*(?:you(?:'ll| will| can| may| need to| should| have)|your|the answer is)\b",
    re.IGNORECASE,
)
_SENTENCE = re.compile(r"[^.!?\n]+[.!?\n]*")
_ASKED_AGAIN = re.compile(
    r"\b(?:repeat|re-?phrase|again|clarify|catch that|hear that|understand|understood|went wrong|error"
    r"|how (?:can|may) i (?:help|assist)|what can i do for you)\b",
    re.IGNORECASE,
)


CAUSED = frozenset({EndReason.HTTP_STATUS, EndReason.EMPTY, EndReason.MALFORMED})
"""Failures of the assistant that what it was sent may have caused; the others stand, whatever the user said."""


def defect_of(case: Case) -> Defect | None:
    """The first sign of an unfair user, or None. Only turns that a model made are looked at."""
    transcript = case.transcript
    if transcript.outcome is not Outcome.COMPLETED and transcript.end not in CAUSED:
        return None
    return next(defects(case.intent, transcript.turns), None)


def as_unfair(transcript: Transcript, why: str) -> Transcript:
    """The transcript as one that says nothing about the assistant."""
    return replace(transcript, end=EndReason.UNFAIR_USER, outcome=EndReason.UNFAIR_USER.outcome, detail=why)


def defects(intent: Intent, turns: Sequence[Turn]) -> Iterator[Defect]:
    """Every sign of an unfair user, by turn."""
    for index, turn in enumerate(turns):
        if turn.role is not Role.USER or turn.is_fixed_text:
            continue
        for kind, quote_of in _RULES.items():
            quote = quote_of(intent, turns[:index], turn.text)
            if quote:
                yield Defect(kind=kind, turn=index, quote=shorten(quote, QUOTE_CHARACTERS))


def _role_flip(intent: Intent, before: Sequence[Turn], text: str) -> str:
    return _match(_ROLE_FLIP, intent, text) or _own_answer(text)


def _own_answer(text: str) -> str:
    """A question followed by its answer, told to somebody: "How long may I ...? You can ... 30 days"."""
    sentences = [sentence.strip() for sentence in _SENTENCE.findall(text)]
    for asked, told in pairwise(sentences):
        if not asked.endswith("?") or told.endswith("?") or not _ANSWER.search(told):
            continue
        shared = {word for word in words(asked) if len(word) > 3} & set(words(told))
        if len(shared) >= 2:
            return f"{asked} {told}"
    return ""


def _leak(intent: Intent, before: Sequence[Turn], text: str) -> str:
    return _match(_CONTROL, intent, text)


def _match(pattern: re.Pattern[str], intent: Intent, text: str) -> str:
    """What matched, unless the author wrote the same."""
    folded = text.replace("’", "'")
    known = normalized(" ".join(_told(intent)))
    return next((m[0].strip() for m in pattern.finditer(folded) if normalized(m[0]) not in known), "")


def _told(intent: Intent) -> tuple[str, ...]:
    """The words that its author gave the user, less those that only a system prompt says."""
    described = re.sub(r"\byou are a user who\b", "", intent.description, flags=re.IGNORECASE)
    return (described, intent.opening or "", *intent.script, *intent.knows)


def _restart(intent: Intent, before: Sequence[Turn], text: str) -> str:
    """The opening once more after something else was said; to ask again where nothing was answered is no restart."""
    said = [turn.text[:COMPARED_CHARACTERS] for turn in before if turn.role is Role.USER]
    if len(said) < 2 or _ASKED_AGAIN.search(before[-1].text[:COMPARED_CHARACTERS]):
        return ""
    has_moved_on = any(not _is_same(said[0], later) for later in said[1:])
    return text if has_moved_on and _is_same(said[0], text) else ""


def _is_same(opening: str, text: str) -> bool:
    if normalized(opening) == normalized(text):
        return True
    return min(len(words(opening)), len(words(text))) >= RESTART_WORDS and jaccard(opening, text) >= RESTARTED


def _parroting(intent: Intent, before: Sequence[Turn], text: str) -> str:
    """The assistant's words as the user's, which the user had not said first; asking back is no parroting."""
    own = [*_told(intent), *(turn.text for turn in before if turn.role is Role.USER)]
    known = frozenset(chain.from_iterable(shingles(said) for said in own))
    for turn in before:
        heard = turn.text[:COMPARED_CHARACTERS]
        if turn.role is Role.ASSISTANT and not ("?" in text and "?" not in heard) and _repeats(text, heard, known):
            return text
    return ""


def _repeats(text: str, heard: str, known: frozenset[tuple[str, ...]]) -> bool:
    """Whether a text is a reply or one of its sentences word for word, or mostly the reply's runs of three words."""
    said, spoken = shingles(text), words(text)
    new = said - known
    if not new or len(spoken) < VERBATIM_WORDS:
        return False
    if spoken == words(heard) or any(spoken == words(sentence) for sentence in _SENTENCE.findall(heard)):
        return True
    return len(spoken) >= PARROT_WORDS and len(new & shingles(heard)) >= PARROTED * len(said)


def _wrong_script(intent: Intent, before: Sequence[Turn], text: str) -> str:
    known = scripts(" ".join([*_told(intent), *(turn.text[:COMPARED_CHARACTERS] for turn in before)]))
    foreign = [run for script, run in _runs(text) if script not in known]
    return max((run for run in foreign if len(run) >= (2 if _is_dense(run) else 3)), key=len, default="")


def scripts(text: str) -> frozenset[str]:
    """The scripts whose letters occur in a text; Japanese and Chinese count as one."""
    return frozenset(script for script, _ in _runs(text))


def _runs(text: str) -> Iterator[tuple[str, str]]:
    """Letters of one script next to each other."""
    run, current = "", ""
    for character in [*unicodedata.normalize("NFKC", text), ""]:
        script = _script(character)
        if script != current and run:
            yield current, run
            run = ""
        current = script
        run += character if script else ""


def _script(character: str) -> str:
    """The first word of a letter's Unicode name, which tells its script; empty for what is no letter."""
    if not character.isalpha():
        return ""
    if character.isascii():
        return "LATIN"
    first = unicodedata.name(character, "").partition(" ")[0].partition("-")[0]
    return "CJK" if first in {"HIRAGANA", "KATAKANA", "HALFWIDTH"} else first


def _is_dense(run: str) -> bool:
    """Whether one letter stands for a syllable or more."""
    return _script(run[0]) in {"CJK", "HANGUL"}


Rule = Callable[[Intent, Sequence[Turn], str], str]
_RULES: dict[Unfairness, Rule] = {
    Unfairness.LEAK: _leak,
    Unfairness.ROLE_FLIP: _role_flip,
    Unfairness.WRONG_SCRIPT: _wrong_script,
    Unfairness.RESTART: _restart,
    Unfairness.PARROTING: _parroting,
}
