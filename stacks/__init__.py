"""The stacks of this app alone: they compose ``automode_constructs.patterns`` with its charts, and decide nothing."""
