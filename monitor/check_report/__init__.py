"""Reports of stored checks, as files that stand by themselves: HTML, JUnit XML, Markdown and JSON.

`gather` reads everything of a check into one frozen `CheckReport`; one module a format makes text of it. Knows nothing
of the web application and of the configuration.
"""

from monitor.check_report.finding import find_check
from monitor.check_report.gathering import Circumstances, gather
from monitor.check_report.report import CheckReport
from monitor.check_report.writing import Format, render_report, require_writable, write_report

__all__ = [
    "CheckReport",
    "Circumstances",
    "Format",
    "find_check",
    "gather",
    "render_report",
    "require_writable",
    "write_report",
]
