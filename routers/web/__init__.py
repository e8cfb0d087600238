"""The web application: its routes' class, middleware, errors and OpenAPI document."""
