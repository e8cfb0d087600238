"""Object stores: immutable bytes under opaque keys. Imports nothing else of Holdall."""
