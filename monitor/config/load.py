"""From the path of a configuration file to a `Config`, or to one error that lists everything wrong with it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from monitor.config import maintenance, routes
from monitor.config.explain import locate, validate
from monitor.config.intents import read_intents
from monitor.config.own_parts import check_suite_names
from monitor.config.problems import Problems
from monitor.config.rules import rules_policy
from monitor.config.secrets import Secret, Surroundings
from monitor.config.settings import Settings
from monitor.config.yaml_source import Node, read_bytes, read_tree
from monitor.intent import Intent, JudgeQuestion, State, Suite, ToolCalls
from monitor.maintenance import Maintenance
from monitor.rules.detectable import why_quality_cannot
from monitor.schedule import Schedule


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """A configuration that can be run.

    `content_hash` (hex SHA-256) covers the configuration file and all files of intents, and may be shown;
    `secrets` are all values that must never be stored or shown; `warnings` are sentences about what is allowed and
    probably not meant.
    """

    path: Path
    settings: Settings
    suites: Mapping[str, Suite]
    schedules: Mapping[str, Schedule | None]
    content_hash: str
    secrets: tuple[Secret, ...] = field(repr=False)
    warnings: tuple[str, ...]

    @property
    def store_url(self) -> Secret:
        """The database; wrapped, because it may hold a password."""
        store = self.settings.store
        default = Secret(f"sqlite:///{self.settings.state_dir / 'monitor.sqlite3'}", "state_dir")
        return store.url_file or store.url_env or (Secret(store.url, "store.url") if store.url else default)

    @property
    def maintenance(self) -> tuple[Maintenance, ...]:
        """The windows that are planned."""
        return tuple(window.value for window in self.settings.maintenance)

    @property
    def model_cache_dir(self) -> Path:
        """Where weights from a hub are kept."""
        model = self.settings.simulator.model
        return (model.cache_dir if model else None) or self.settings.state_dir / "models"


def load(path: Path, env: Mapping[str, str]) -> Config:
    """Read a configuration and every file that it names. Raises ConfigError with all problems found."""
    problems = Problems()
    around = Surroundings(path.absolute().parent, env)
    digest = hashlib.sha256()
    root = _read(path, problems, digest, shown=path)
    settings = validate(Settings, root, around, path, problems) if root else None
    intents: dict[Path, tuple[Intent, ...]] = {}
    trees: dict[Path, Node] = {}
    for key, line, file in _intent_files(root, around) if root else ():
        if file in intents:
            continue
        tree = _read(file, problems, digest, shown=path, line=line, key=key)
        intents[file] = read_intents(file, tree, around, problems) if tree else ()
        trees |= {file: tree} if tree else {}
    if root:
        _check_assistants(path, root, problems)
    problems.refuse()
    assert settings is not None, "no settings and no problem"
    assert root is not None, "settings without a tree"
    routes.check_channels(path, root, settings.notify, problems)
    check_suite_names(path, root, settings, problems)
    for file, found in intents.items():
        _check_intents(file, trees[file], found, settings, problems)
    for name, suite in settings.suites.items():
        weights = [intent.weight for intent in intents[suite.intents]]
        if why := why_quality_cannot(weights, rules_policy(settings, name)):
            line, key = locate(root, ("suites", name))
            problems.add(path, line, key, why)
    problems.refuse()
    return _config(path, settings, intents, digest.hexdigest())


def _read(
    path: Path, problems: Problems, digest: hashlib._Hash, *, shown: Path, line: int = 1, key: str = ""
) -> Node | None:
    """The tree of one file; a file that cannot be read is a problem of the place that names it."""
    try:
        content = read_bytes(path)
    except ValueError as exc:
        what = f"{exc}; create it, or correct the path"
        problems.add(shown, line, key, f"{path}: {what}" if key else what)
        return None
    digest.update(len(content).to_bytes(8, "big") + content)
    return read_tree(path, content, problems)


def _intent_files(root: Node, around: Surroundings) -> Iterator[tuple[str, int, Path]]:
    """Key, line and path of every file of intents that the tree names, whatever else is wrong with it."""
    for name, suite in _children(root, "suites"):
        node = suite.value.get("intents") if isinstance(suite.value, dict) else None
        with suppress(ValueError):
            yield f"suites.{name}.intents", node.line if node else 1, around.path(node.value if node else None)


def _check_assistants(path: Path, root: Node, problems: Problems) -> None:
    known = [name for name, _ in _children(root, "assistants")]
    for name, suite in _children(root, "suites"):
        node = suite.value.get("assistant") if isinstance(suite.value, dict) else None
        if node is not None and isinstance(node.value, str) and node.value not in known:
            text = f"no assistant has this name; known: {', '.join(known) or 'none'}"
            problems.add(path, node.line, f"suites.{name}.assistant", text)


def _children(root: Node, key: str) -> list[tuple[str, Node]]:
    section = root.value.get(key) if isinstance(root.value, dict) else None
    return list(section.value.items()) if section is not None and isinstance(section.value, dict) else []


def _check_intents(file: Path, root: Node, intents: tuple[Intent, ...], settings: Settings, problems: Problems) -> None:
    """What an intent needs under these settings, beyond being well formed."""
    for number, intent in enumerate(intents):
        line, key = locate(root, ("intents", number))
        if "task" in settings.scoring.weights and not _measurable(intent, settings):
            text = f"nothing in the checklist of {intent.id} can be measured, so it has no score; add an item"
            problems.add(file, line, key, text)
        for item in intent.checklist:
            if isinstance(item, State) and item.source not in settings.state_sources:
                known = ", ".join(settings.state_sources) or "none"
                text = f"{item.id} asks {item.source}, which state_sources does not name; known: {known}"
                problems.add(file, line, f"{key}.checklist", text)
            if isinstance(item, ToolCalls) and item.wait_seconds and settings.server.pages is None:
                text = f"{item.id} waits for reported tool calls, and server.pages, which takes them, is off"
                problems.add(file, line, f"{key}.checklist", f"{text}; set an address there, or leave wait out")
        if settings.simulator.kind == "scripted" and not (intent.script or intent.opening):
            problems.add(file, line, key, f"the scripted user has nothing to say in {intent.id}; add script")


def _measurable(intent: Intent, settings: Settings) -> bool:
    return any(settings.judge or not isinstance(item, JudgeQuestion) for item in intent.checklist)


def _config(path: Path, settings: Settings, intents: Mapping[Path, tuple[Intent, ...]], content_hash: str) -> Config:
    suites = {
        name: Suite(
            name=name,
            assistant=suite.assistant,
            intents=intents[suite.intents],
            rounds=suite.rounds.least,
            most_rounds=suite.rounds.most,
            timeout_seconds=suite.timeout_seconds,
            threshold=settings.threshold(name),
        )
        for name, suite in settings.suites.items()
    }
    return Config(
        path=path.absolute(),
        settings=settings,
        suites=suites,
        schedules={name: s.schedule.value if s.schedule else None for name, s in settings.suites.items()},
        content_hash=content_hash,
        secrets=tuple(dict.fromkeys(_secrets(settings))),
        warnings=tuple(_warnings(settings, suites)),
    )


def _secrets(value: object) -> Iterator[Secret]:
    if isinstance(value, Secret):
        yield value
    elif isinstance(value, Mapping):
        for child in value.values():
            yield from _secrets(child)
    elif isinstance(value, tuple | list):
        for child in value:
            yield from _secrets(child)
    elif hasattr(value, "model_fields_set"):
        yield from _secrets(vars(value))


def _warnings(settings: Settings, suites: Mapping[str, Suite]) -> Iterator[str]:
    model = settings.simulator.model
    is_on_hub = model is not None and "/" in model.name and not Path(model.name).is_absolute()
    if model and is_on_hub and not model.revision:
        yield "simulator.model.revision: not pinned, so the weights may change and scores with them"
    yield from routes.warnings(settings.notify, suites)
    yield from maintenance.warnings([w.value for w in settings.maintenance], [*routes.every_scope(suites)])
    for name, suite in settings.suites.items():
        every = suite.schedule.every_seconds if suite.schedule else None
        if every is not None and suite.timeout_seconds > every:
            yield f"suites.{name}: timeout is longer than the interval; checks that overlap are skipped"
        judged = sum(isinstance(item, JudgeQuestion) for i in suites[name].intents for item in i.checklist)
        if judged and settings.judge is None:
            yield f"suites.{name}: {judged} checklist items need a judge and are left out of the score"
