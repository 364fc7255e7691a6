"""How traffic arrives and what is let through: ingress, load balancers, gateways, network policies."""
