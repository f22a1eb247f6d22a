"""What becomes of a check whose end the database cannot take: it is kept, its opens are told, and it is replayed.

`Keeper` does it; nothing here knows how a check is decided.
"""

from monitor.keeping.announcing import Announcer
from monitor.keeping.keeper import Keeper
from monitor.keeping.kept import Kept, with_told
from monitor.keeping.saving import Saving

__all__ = ["Announcer", "Keeper", "Kept", "Saving", "with_told"]
