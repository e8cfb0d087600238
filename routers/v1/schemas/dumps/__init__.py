"""What dumps, signatures and symbols look like as JSON."""
