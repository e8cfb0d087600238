"""Workers: several processes of one host that serve as one service (docs/adr/0015)."""
