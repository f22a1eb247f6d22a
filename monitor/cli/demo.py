"""`demo`: the whole product on this machine alone, from a healthy assistant to an alert that opened and closed."""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from contextlib import AsyncExitStack
from datetime import datetime
from functools import partial
from pathlib import Path

import click

from monitor.bootstrap.application import Application, open_application
from monitor.cli.context import log_as_configured, print_json, runs_async, tell
from monitor.cli.exit_codes import ExitCode
from monitor.demo.receivers import Answer, Receivers
from monitor.demo.stage import open_shop, write_config
from monitor.demo.story import CHANNELS, Say, Story, StoryBroken
from monitor.engine.weights import default_cache_dir
from monitor.errors import ConfigError
from monitor.sdnotify import ServiceManager

SILENT = ServiceManager({})
SEND_SECONDS = 10.0
"""For a message on its way when the story ends: a delivery is noted after the receiver has it."""
STAND_IN = "SmolLM2-135M plays the users in place of UserLM-8b: it shows the machinery, not UserLM's quality."
SCRIPTED = "Users say fixed lines; no language model plays them."


@click.command()
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), help="Seed of the run; a fresh one without it.")
@click.option(
    "--folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".demo"),
    show_default=True,
    help="Where a folder for this run is made: configuration, database.",
)
@click.option("--stay", is_flag=True, help="Stay up at the end, with a check every ten minutes, until Ctrl-C.")
@click.option("--scripted", is_flag=True, help="Users with fixed turns: no model is loaded, it takes seconds.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object last.")
@click.option("--dead", type=click.Choice(CHANNELS), help="Rehearsal: this receiver is dead, and the demo must fail.")
@click.option("--unbroken", is_flag=True, help="Rehearsal: the shop deploys no fault, and the demo must fail.")
@runs_async
async def demo(
    *,
    seed: int | None,
    folder: Path,
    stay: bool,
    scripted: bool,
    as_json: bool,
    dead: str | None,
    unbroken: bool,
) -> int:
    """Show the whole product: users, assistant, scores, an alert that opens and closes.

    Exit code 0 only if the alert really opened and closed on both channels.
    """
    say = partial(tell, err=as_json)
    began, seed = time.monotonic(), secrets.randbits(63) if seed is None else seed
    run_folder = (folder / f"{datetime.now().astimezone():%Y%m%d-%H%M%S}-{os.getpid()}").absolute()
    try:
        run_folder.mkdir(parents=True)
    except OSError as exc:
        raise ConfigError([f"--folder: {exc.strerror}: {run_folder}; name a folder that can be written to"]) from exc
    async with AsyncExitStack() as stack:
        receivers = stack.enter_context(Receivers())
        if dead:
            receivers.always_answer(dead, Answer(closes=True))
        shop = await stack.enter_async_context(open_shop(run_folder))
        config = write_config(run_folder, shop, receivers, models=default_cache_dir(), seed=seed, is_scripted=scripted)
        log_as_configured(config)
        say(f"assistant-monitor demo, seed {seed}")
        say(SCRIPTED if scripted else STAND_IN)
        say(f"The assistant answers at {shop.url}; Slack and PagerDuty are receivers at {receivers.url}.")
        if not scripted:
            say("Loading the user model (the first time its weights are converted) ...")
        application = await stack.enter_async_context(open_application(config, SILENT))
        await application.publish()
        story = Story(application, shop, receivers, seed, say, breaks_index=not unbroken)
        code = await _play(story)
        say(f"\ndatabase       {run_folder / 'monitor.sqlite3'}")
        say(f"metrics        {application.metrics_url}/metrics")
        say(f"conversations  {application.pages_url}/")
        say(f"configuration  {config.path}")
        say(f"{'It holds' if code == ExitCode.HEALTHY else 'It does not hold'}; {time.monotonic() - began:.0f} s.")
        if as_json:
            print_json(story.report())
        if stay:
            await _stay(application, say)
    return code


async def _play(story: Story) -> ExitCode:
    """Tell the story with the outbox being sent beside it."""
    stop = asyncio.Event()
    sending = asyncio.create_task(story.application.sender.run(stop))
    try:
        await story.play()
    except StoryBroken as exc:
        story.say(f"\nThe demo failed: {exc}")
        return ExitCode.DEGRADED
    finally:
        stop.set()
        story.application.sender.wake()
        await asyncio.wait({sending}, timeout=SEND_SECONDS)
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        await story.application.publish()
    return ExitCode.HEALTHY


async def _stay(application: Application, say: Say) -> None:
    """Run on as the daemon does."""
    say("It stays up: the pages can be looked at, and the next check comes by the clock. Ctrl-C ends it.")
    await application.daemon(SILENT).run()
