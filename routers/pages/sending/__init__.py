"""The pages of what is sent: files and bundles, and what is done with several of them."""
