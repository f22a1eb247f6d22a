"""What engines say of themselves, as it comes out of our own page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from monitor.engine_metrics import MOST_SAMPLES, PREFIX, EngineMetrics, Fetch, parse
from monitor.errors import HttpFailure
from monitor.metrics import OPENMETRICS, Metrics
from tests.engine_page import blamed, engine_page


class Pages:
    """Servers whose pages can be changed; None: away."""

    def __init__(self, **pages: str | None) -> None:
        self.pages = pages
        self.engines = EngineMetrics([(name, self.fetch(name)) for name in pages])
        self.metrics = Metrics(lambda: {"engine_restarts_total": 7.0}, engines=self.engines.families)

    def fetch(self, name: str) -> Fetch:
        async def fetch() -> str:
            page = self.pages[name]
            if page is None:
                raise HttpFailure("connection_failed", "away", sent=False)
            return page

        return fetch

    def samples(self) -> Mapping[tuple[str, str], float]:
        """Values of the samples with a label `server`, by name without prefix and server."""
        return {
            (sample.name.removeprefix(PREFIX), sample.labels["server"]): sample.value
            for family in parse_text(self.metrics.render()[0].decode())
            for sample in family.samples
            if "server" in sample.labels
        }


async def test_every_series_of_an_engine_is_told_with_the_name_of_its_server() -> None:
    two = Pages(child=engine_page(steps=3), other=engine_page(steps=5, free=9))
    await two.engines.refresh()
    samples = two.samples()
    assert samples["step_seconds_count", "child"] == 3
    assert samples["step_seconds_count", "other"] == 5
    assert samples["slots_free", "other"] == 9


async def test_histograms_come_through_whole() -> None:
    one = Pages(child=engine_page())
    await one.engines.refresh()
    told, own = (
        [line for line in page.splitlines() if "_seconds_bucket" in line and line.startswith(PREFIX)]
        for page in (one.metrics.render()[0].decode(), engine_page())
    )
    assert [line.replace(',server="child"', "") for line in told] == own != []


async def test_promtool_finds_nothing_to_blame_in_the_pages_of_two_engines() -> None:
    two = Pages(child=engine_page(), other=engine_page(restarts=2))
    await two.engines.refresh()
    assert blamed(two.metrics.render()[0]) == (0, b"", b"")


async def test_a_scraper_that_asks_for_openmetrics_gets_them_too() -> None:
    one = Pages(child=engine_page())
    await one.engines.refresh()
    families = parse_openmetrics(one.metrics.render(OPENMETRICS)[0].decode())  # type: ignore[no-untyped-call]
    assert f"{PREFIX}step_rows" in {family.name for family in families}


async def test_the_restarts_are_those_that_the_daemon_counted() -> None:
    one = Pages(child=engine_page(restarts=2))
    await one.engines.refresh()
    lines = [line for line in one.metrics.render()[0].decode().splitlines() if line.startswith(f"{PREFIX}restarts")]
    assert lines == [f"{PREFIX}restarts_total 7.0"]


@pytest.mark.parametrize("page", [None, "", "{", "vllm:num_requests_running 3.0\n", f"{PREFIX}step_seconds_count x\n"])
async def test_a_server_that_is_away_or_none_of_ours_leaves_no_numbers_behind(page: str | None) -> None:
    two = Pages(child=engine_page(), other=engine_page())
    await two.engines.refresh()
    two.pages["child"] = page
    await two.engines.refresh()
    assert {server for _, server in two.samples()} == {"other"}


def test_what_is_not_an_engines_is_not_even_parsed() -> None:
    foreign = 'vllm:requests{model="\n}}} 1\n# TYPE vllm:x nonsense\n'
    assert {family.name for family in parse(foreign + engine_page(), "s")} == {
        family.name for family in parse(engine_page(), "s")
    }


async def test_a_page_that_says_a_thing_twice_says_it_once_in_ours() -> None:
    page = f'# TYPE {PREFIX}queue gauge\n{PREFIX}queue{{server="x"}} 1\n{PREFIX}queue{{server="y"}} 2 1234\n'
    one = Pages(child=page + page)
    await one.engines.refresh()
    lines = [line for line in one.metrics.render()[0].decode().splitlines() if line.startswith(f"{PREFIX}queue")]
    assert lines == [f'{PREFIX}queue{{server="child"}} 1.0']


async def test_engines_that_differ_in_a_type_do_not_spoil_the_page() -> None:
    two = Pages(
        child=f"# TYPE {PREFIX}queue gauge\n{PREFIX}queue 1\n",
        other=f"# TYPE {PREFIX}queue histogram\n{PREFIX}queue_count 1\n",
    )
    await two.engines.refresh()
    assert {server for _, server in two.samples()} == {"child"}


@pytest.mark.parametrize(
    "page",
    [
        f"# TYPE {PREFIX}odd gauge\n" + "".join(f'{PREFIX}odd{{a="{n}"}} 1\n' for n in range(MOST_SAMPLES + 1)),
        f"# TYPE {PREFIX}odd gauge\n{PREFIX}odd 1{'0' * 400}\n",
        f'# TYPE {PREFIX}odd gauge\n{PREFIX}odd{{a="\n',
        f"# TYPE {PREFIX}odd\n",
        f"{PREFIX}\n",
    ],
    ids=["too many", "beyond a float", "cut off", "no type", "no value"],
)
async def test_a_page_that_no_engine_writes_is_left_out_whole(page: str) -> None:
    two = Pages(child=engine_page() + page, other=engine_page())
    await two.engines.refresh()
    assert {server for _, server in two.samples()} == {"other"}


@pytest.mark.parametrize("name", sorted({family.name.removeprefix(PREFIX) for family in parse(engine_page(), "s")}))
def test_every_metric_of_an_engine_is_in_the_readme(name: str) -> None:
    readme = (Path(__file__).parents[1] / "README.md").read_text()
    assert f"`engine_{name}`" in readme or f"`engine_{name}_total`" in readme
