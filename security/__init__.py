"""Authentication, scopes, sessions, and checks of Host and Origin."""
