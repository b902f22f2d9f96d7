"""Samples: sources, measuring, selecting, splitting, releasing."""
