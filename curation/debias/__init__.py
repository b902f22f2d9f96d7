"""Captions written again so that they say nothing protected of people: by rule, or by a model; and what that cost."""
