"""What all sections of the settings have in common."""

from pydantic_settings import BaseSettings, SettingsConfigDict


class Section(BaseSettings):
    """Settings that stand under one heading, from the environment and from `.env`."""

    model_config = SettingsConfigDict(
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        hide_input_in_errors=True,
    )
