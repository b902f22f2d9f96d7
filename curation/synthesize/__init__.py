"""Samples made on purpose: candidates for what prompts ask for, checked, kept where they have the classes asked for."""
