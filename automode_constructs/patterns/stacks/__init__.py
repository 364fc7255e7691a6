"""Stacks to start from: they compose constructs and charts, and pass values on."""
