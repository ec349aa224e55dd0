"""What is said in texts, found without any of our rooms: pure functions."""
