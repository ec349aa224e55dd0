"""Request and response schemas, serializers, OpenAPI and archives, without Flask."""
