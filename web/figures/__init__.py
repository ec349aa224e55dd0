"""Figures: each function returns a table with its title and its main finding."""
