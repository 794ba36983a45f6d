"""Whence: where does this prediction come from?"""
