"""Reading objects: what queries select of them, and their bytes, wherever these are."""
