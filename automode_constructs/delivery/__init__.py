"""The one bridge between cdk8s and the CDK: a chart becomes ordered resources of a stack."""
