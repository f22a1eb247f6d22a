"""The API: what is stored, for programs, and what operators do.

`endpoint` is the form of everything that can be asked; `suites`, `results` and `alerts` are all of it; `serving` makes
routes of it and `openapi` the description.
"""

from monitor.web.api.controls import Controls
from monitor.web.api.serving import AnyEndpoint
from monitor.web.api.table import DOCUMENT, Api, api_routes

__all__ = ["DOCUMENT", "AnyEndpoint", "Api", "Controls", "api_routes"]
