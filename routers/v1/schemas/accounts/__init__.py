"""What accounts, and what lets one in, look like as JSON."""
