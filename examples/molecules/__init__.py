"""Molecules for the example: geometry, limits that keep them whole, and drawings."""
