"""Stacks: they compose constructs and charts, pass values on, and decide nothing else."""
