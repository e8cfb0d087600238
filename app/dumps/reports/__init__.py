"""Reports of minidumps: made by a task, kept as JSON, shown as text."""
