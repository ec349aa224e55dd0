"""SQLite and PostgreSQL: how each reads, writes, fails and migrates, and the SQL that differs between them."""
