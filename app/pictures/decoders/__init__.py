"""What decodes pictures, and reads what else is in their files; only child processes import it."""
