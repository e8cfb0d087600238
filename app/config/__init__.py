"""Settings: what they are, what they must look like, and the file that documents them."""

from app.config.sections import MIB
from app.config.settings import ConfigError, Settings, load_settings

__all__ = ["MIB", "ConfigError", "Settings", "load_settings"]
