"""Activity: the log of events, as accounts and administrators read it."""
