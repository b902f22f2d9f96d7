"""Measures of samples. Measures do not know each other."""
