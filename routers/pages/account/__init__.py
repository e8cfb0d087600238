"""The pages of accounts: how one gets in, and what one has there."""
