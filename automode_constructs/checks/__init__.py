"""Judges over documents and over all objects of a cluster together, without Node, the CDK or cdk8s."""
