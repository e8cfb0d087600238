"""The test of every object store: subclass `StoreConformance`, and the store keeps the contract.

It needs pytest, anyio's pytest plugin and Hypothesis, so nothing else of Holdall imports it.
"""

from storage.conformance.suite import StoreConformance

__all__ = ["StoreConformance"]
