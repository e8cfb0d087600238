"""Settings: what they are, what they must look like, and the file that documents them."""

from app.config.settings import MIB, ConfigError, Settings, load_settings

__all__ = ["MIB", "ConfigError", "Settings", "load_settings"]
