"""Canonical form and validation of the targets: pages, tables, formulas."""
