"""What the monitor remembers, in SQL: slots, checks, conversations, alerts and the outbox.

`Store` is the whole face of it; nothing outside this package knows tables or SQLAlchemy.
"""

from monitor.store.baselines import Baseline
from monitor.store.closing import AlertChanges, Closing, joined
from monitor.store.history import Beside, CheckPoint, ConversationLine, point_of
from monitor.store.labels import LabelsWanted
from monitor.store.outbox import Claim, Delivery, NotificationDraft, Orphans
from monitor.store.rescores import ConversationFilter
from monitor.store.spool import Spool
from monitor.store.store import Store

__all__ = [
    "AlertChanges",
    "Baseline",
    "Beside",
    "CheckPoint",
    "Claim",
    "Closing",
    "ConversationFilter",
    "ConversationLine",
    "Delivery",
    "LabelsWanted",
    "NotificationDraft",
    "Orphans",
    "Spool",
    "Store",
    "joined",
    "point_of",
]
