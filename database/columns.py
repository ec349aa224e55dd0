"""Column types that SQLite and PostgreSQL store differently."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import DateTime, Dialect, String
from sqlalchemy.types import BigInteger, Integer, TypeDecorator


class UTCDateTime(TypeDecorator[datetime]):
    """An aware datetime in UTC, to the second. SQLite stores it as text that sorts by time: 2026-11-17T12:34:56Z."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        return dialect.type_descriptor(String(20) if dialect.name == "sqlite" else DateTime(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a datetime without time zone")
        if dialect.name == "sqlite":
            return f"{(value if value.tzinfo is UTC else value.astimezone(UTC)).isoformat()[:19]}Z"
        return value.astimezone(UTC).replace(microsecond=0)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return datetime.fromisoformat(value) if isinstance(value, str) else value.astimezone(UTC)


Id = BigInteger().with_variant(Integer(), "sqlite")
"""An id of 64 bits. SQLite uses a primary key as its rowid, which every index then ends with, only if its type is INTEGER."""
