"""Measurements: ratios of things measured in one run, and times with goals: ``make bench``."""
