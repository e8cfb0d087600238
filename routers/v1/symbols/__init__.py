"""Symbols: uploaded and kept, also as Breakpad and debuggers want them."""
