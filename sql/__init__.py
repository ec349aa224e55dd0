"""SQL that the ORM does not say, or that databases say differently."""
