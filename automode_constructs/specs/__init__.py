"""What Auto Mode's Kubernetes API is: typed, frozen models and their rules, without Node, the CDK or cdk8s."""
