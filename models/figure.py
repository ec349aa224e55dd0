"""Figures: single numbers about the service that outlive its processes."""

from __future__ import annotations

from sqlalchemy import BigInteger, Text
from sqlalchemy.orm import Mapped, mapped_column

from alchemy import Base


class StoredCounter(Base):
    """A number by name and label, such as the requests to X by outcome. `label` is empty where there is only one."""

    __tablename__ = "figures"

    name: Mapped[str] = mapped_column(Text, primary_key=True)
    label: Mapped[str] = mapped_column(Text, primary_key=True)
    value: Mapped[int] = mapped_column(BigInteger)
