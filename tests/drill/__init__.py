"""The drill itself: how it judges, and that it runs."""
