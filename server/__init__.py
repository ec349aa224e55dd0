"""Serving by Granian, which handles connections and supervises the workers."""
