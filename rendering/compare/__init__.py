"""Pixels against pixels: how well a markup, rendered again, reproduces the picture that came with it."""
