"""CLIP, a projector and a small chat model: set-up 2."""
