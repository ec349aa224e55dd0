"""Figures: one file a noun. Each asks one question, and answers with a table and with what is found in it."""
