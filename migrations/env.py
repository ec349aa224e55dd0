"""Alembic's entry point: runs the migrations on the connection that Database.upgrade passes."""

from alembic import context

import models  # noqa: F401 (registers the tables for autogenerate)
from alchemy import Base

context.configure(
    connection=context.config.attributes["connection"], target_metadata=Base.metadata, render_as_batch=True, compare_type=True
)
context.run_migrations()
