"""Markup to pixels, and pixels against pixels. A leaf: knows no Arrow and imports no other room."""
