"""The whole suite as one class."""

import pytest

from storage.conformance.listing import Lists, Service
from storage.conformance.machine import Sequences
from storage.conformance.putting import Puts
from storage.conformance.reading import Deletes, Reads


class StoreConformance(Puts, Reads, Deletes, Lists, Service, Sequences):
    """Subclass it as ``TestXStore``, implement the hooks of `StoreHooks`, and run it.

    A store that passes keeps the contract of `storage.base.ObjectStore` as far as a test can see.
    """

    pytestmark = pytest.mark.anyio
