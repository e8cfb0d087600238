"""Trends of the whole service, by day: what is kept, what has come, how often programs crash."""
