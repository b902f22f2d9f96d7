"""What a prediction is worth: one module a metric, plain functions of a prediction and its reference.

Predictions are what a model wrote, so they are hostile text: no metric raises for one, each takes bounded time, and
what is empty, broken or over a cap scores 0. What cannot be measured (no weights, a reference that is none) is None.
"""
