"""`rebaseline`: what a suite's answers are like now is what is usual from now on."""

from __future__ import annotations

from pathlib import Path

import click

from monitor.cli.context import Output, config_option, print_json
from monitor.cli.exit_codes import ExitCode
from monitor.cli.operating import as_json_option, by_option, operating
from monitor.web.documents import baseline_document


@click.command()
@config_option
@click.argument("suite")
@click.option("--reason", default="", help="Why.")
@by_option
@as_json_option
def rebaseline(config_path: Path | None, suite: str, reason: str, by: str, *, as_json: bool) -> int:
    """Let the rules `regression` and `intent` learn anew what is usual for SUITE; what they found so far is closed."""
    with operating(config_path) as operations:
        after = operations.rebaseline(suite, by=by, reason=reason)
    if as_json:
        print_json(baseline_document(after))
    else:
        Output().say(f"the baseline of {suite} is taken anew from its next checks (epoch {after.epoch})")
    return ExitCode.HEALTHY
