"""What a request passes before the resources: authentication, scopes, Host and Origin checks, limits, cached responses."""
