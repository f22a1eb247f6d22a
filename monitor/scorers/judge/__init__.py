"""Judges: language models that answer yes/no questions about a conversation, with log-probabilities or in strict JSON.

Both fail closed: what is no answer is a JudgeFailure, never a number.
"""

from monitor.scorers.judge.json_judge import JsonJudge
from monitor.scorers.judge.logprob_judge import LogprobJudge
from monitor.scorers.judge.server import JudgeServer, Prices

__all__ = ["JsonJudge", "JudgeServer", "LogprobJudge", "Prices"]
