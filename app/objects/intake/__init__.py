"""Bytes on their way to the store: charged for as they come, in one object or in segments."""
