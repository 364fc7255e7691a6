"""The ``automode`` command: it checks existing YAML and explains the rules."""
