"""HTTP itself: the connection that requests come by."""
