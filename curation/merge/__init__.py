"""Merging: several sets of pictures and texts into one release, with image bytes passed through."""
