"""An account's own rules for signatures: kept, tried, and applied to the dumps that are there."""
