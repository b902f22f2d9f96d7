"""Stages of ingest: what a row goes through before it is a sample. Stages do not know each other."""
