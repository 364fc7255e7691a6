"""A team as one record, and what its parts are inside the cluster."""
