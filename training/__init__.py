"""Conversations, training, prediction and markup metrics (issue: training and evaluation)."""
