"""Webhooks: URLs that are told what happens to an account, at least once.

What is to be told is queued by `app.events.deliveries`, with the event itself.
"""
