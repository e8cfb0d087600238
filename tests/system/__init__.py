"""System tests: they talk to a real process, and import nothing of ours."""
