"""How a collection happens: X, the page loop, the store, the lease."""
