"""cdk8s constructs over the specs: each makes the Kubernetes object its name says."""
