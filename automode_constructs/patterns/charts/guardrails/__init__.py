"""The rules of ``ClusterGuardrails``, one concept a file: each says what it refuses, in CEL."""
