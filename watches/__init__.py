"""Watches: what people asked to be told, how it is found, put into words and sent."""
