"""Prompts for what a data set has too little of: which classes are rare, how many prompts each needs, their texts."""
