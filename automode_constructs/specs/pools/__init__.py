"""Which nodes come: NodePool, its requirements, labels, and the instance types that they admit."""
