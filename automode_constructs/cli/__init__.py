"""The ``automode`` command: it judges YAML that people already have, and explains the rules."""
