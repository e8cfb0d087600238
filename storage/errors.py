"""What a store can answer instead of doing what it was asked."""


class StorageError(Exception):
    """Base of every error a store raises itself."""


class ObjectNotFound(StorageError):
    """No object is stored under the key."""


class StoreFull(StorageError):
    """The store has no room left for the object."""


class StoreUnavailable(StorageError):
    """The store does not answer, or refuses service, for now."""


class StoreUnmarked(StoreUnavailable):
    """A mark of the store is missing: what it says to be missing may be elsewhere."""
