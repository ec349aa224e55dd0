"""The invented world: people, tweets, places, and what is true of them at an instant."""
