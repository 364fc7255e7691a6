"""Agents that run on every node of a cluster: compliance, security, logging, monitoring."""
