"""The slow judges: cdk-nag's NIST, PCI and HIPAA packs and checkov, over what the app writes in its variants."""
