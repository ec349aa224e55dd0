"""The endpoints of X's API; table.py lists them."""
