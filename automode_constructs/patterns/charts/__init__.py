"""Charts to start from, which know specs, manifests and model servers, and nothing of AWS."""
