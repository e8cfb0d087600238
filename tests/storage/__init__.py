"""Every store against the conformance suite, and what is particular to each."""
