"""The drill of uploads: over a bad network, to a server that dies, each becomes whole."""
