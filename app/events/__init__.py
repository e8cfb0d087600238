"""Events: what happened to an account, kept in the transaction in which it happens.

`record` writes one; after the commit `Outbox` tells those who listen.
"""
