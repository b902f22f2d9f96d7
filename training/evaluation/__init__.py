"""Predictions scored: with intervals, by class and size, model against model, as JSON and as a page."""
