"""This app's stacks: they combine ``automode_constructs.patterns`` with the app's charts, and decide nothing."""
