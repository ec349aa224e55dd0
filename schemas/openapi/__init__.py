"""OpenAPI: what the declarations that validate requests say, in the words of OpenAPI 3.1."""
