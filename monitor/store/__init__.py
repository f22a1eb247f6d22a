"""What the monitor remembers, in SQL: slots, checks, conversations, alerts and the outbox.

`Store` is the whole face of it; nothing outside this package knows tables or SQLAlchemy.
"""

from monitor.store.baselines import Baseline
from monitor.store.closing import AlertChanges, Closing, joined
from monitor.store.outbox import Claim, Delivery, NotificationDraft, Orphans
from monitor.store.rescores import ConversationFilter
from monitor.store.spool import Spool
from monitor.store.store import Store

__all__ = [
    "AlertChanges",
    "Baseline",
    "Claim",
    "Closing",
    "ConversationFilter",
    "Delivery",
    "NotificationDraft",
    "Orphans",
    "Spool",
    "Store",
    "joined",
]
