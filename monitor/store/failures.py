"""What a database's exception means to us: try again, away, damaged, or a mistake of our own."""

from __future__ import annotations

import errno
import sqlite3

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError, SQLAlchemyError, StatementError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from monitor.errors import StoreCorrupt, StoreFailure, StoreForbidden, StoreUnavailable

# Serialization failure, deadlock, lock not available, no more connections, and the server going or coming.
_TRANSIENT_SQLSTATES = {"40001", "40P01", "55P03", "53300", "57P01", "57P02", "57P03"}
_BUSY_CODES = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EMFILE, errno.ENFILE}
# libpq gives no SQLSTATE for a refused login; where a server words it in another language we go on trying.
_REFUSED_LOGINS = ("authentication failed", "no pg_hba.conf entry", "no password supplied")
_CORRUPT_CODES = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}


def is_transient(error: SQLAlchemyError) -> bool:
    """Whether the whole transaction may succeed when it is tried again at once."""
    if not isinstance(error, DBAPIError):
        return isinstance(error, PoolTimeout)
    if error.connection_invalidated or _sqlite_code(error) in _BUSY_CODES:
        return True
    sqlstate = _sqlstate(error)
    # psycopg gives no SQLSTATE when there was no server to give one: refused, reset, timed out.
    is_lost = sqlstate is None and isinstance(error, OperationalError) and _sqlite_code(error) is None
    return is_lost or sqlstate in _TRANSIENT_SQLSTATES or (sqlstate or "").startswith("08")


def translate(error: SQLAlchemyError) -> Exception:
    """The error of ours that says the same. Raised `from` the original by the caller."""
    if isinstance(error, StatementError) and isinstance(error.orig, ValueError):
        return error.orig
    text = _first_line(error)
    if isinstance(error, DBAPIError) and _sqlite_code(error) in _CORRUPT_CODES:
        return corrupt(text)
    if is_transient(error) or (isinstance(error, OperationalError | InterfaceError) and not _is_wrong_sql(error)):
        kind = StoreForbidden if _is_refused_login(error) else StoreUnavailable
        return kind(f"the database cannot be used now: {text}")
    return StoreFailure(f"the database refused: {text}")


def no_file(text: str, error: OSError) -> StoreUnavailable:
    """What a file that cannot be opened means: a full disk may get room again, a permission must be given."""
    return StoreUnavailable(text) if error.errno in _NO_ROOM else StoreForbidden(text)


def _is_refused_login(error: SQLAlchemyError) -> bool:
    text = str(getattr(error, "orig", ""))
    is_unknown = "FATAL" in text and "does not exist" in text
    return is_unknown or any(words in text for words in _REFUSED_LOGINS)


def corrupt(detail: str) -> StoreCorrupt:
    """A damaged file, with what to do about it."""
    advice = "restore it from a backup, or move it away and run `assistant-monitor db upgrade` to begin anew"
    return StoreCorrupt(f"the database file is damaged ({detail}); {advice}")


def _is_wrong_sql(error: DBAPIError) -> bool:
    return _sqlite_code(error) == sqlite3.SQLITE_ERROR


def _sqlite_code(error: DBAPIError) -> int | None:
    code = getattr(error.orig, "sqlite_errorcode", None)
    return None if code is None else code & 0xFF  # the low byte; the rest is detail


def _sqlstate(error: DBAPIError) -> str | None:
    state: str | None = getattr(error.orig, "sqlstate", None)
    return state


def _first_line(error: SQLAlchemyError) -> str:
    # PostgreSQL's further lines quote the row, and rows hold transcripts.
    original = error.orig if isinstance(error, StatementError) else None
    return str(original or error).partition("\n")[0]
