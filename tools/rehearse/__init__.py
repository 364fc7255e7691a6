"""A rehearsal: the real CDK CLI deploys, breaks, repairs and destroys the app against a stand-in AWS on loopback."""
