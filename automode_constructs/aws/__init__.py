"""CDK constructs for the AWS side of an EKS Auto Mode cluster: one concept, one file."""
