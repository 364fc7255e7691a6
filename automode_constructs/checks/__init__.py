"""Checks of single documents and of all objects of a cluster together, without Node, the CDK or cdk8s."""
