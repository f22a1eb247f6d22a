"""What a report of a check tells beside the database: the configuration's thresholds, and where its pages are."""

from __future__ import annotations

from monitor.bootstrap.canaries import has_canaries
from monitor.bootstrap.parts import utc_now
from monitor.check_report import Circumstances
from monitor.config import Config


def circumstances(config: Config, suite: str) -> Circumstances:
    """Those of now. A suite that the configuration has no more has no threshold."""
    settings = config.settings
    known = config.suites.get(suite)
    return Circumstances(
        made_at=utc_now(),
        threshold=known.threshold if known else None,
        base_url=settings.public_url,
        canary_seconds=settings.canaries.every_seconds if has_canaries(config) else None,
        calibration_days=settings.scoring.calibration_days,
    )
