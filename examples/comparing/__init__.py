"""The parts of examples/compare_methods.py."""
