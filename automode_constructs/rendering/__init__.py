"""From charts to Kubernetes objects, their order, and the YAML folder."""
