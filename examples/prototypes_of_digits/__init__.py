"""Parts of `digit_prototypes.py`."""
