"""Charts to start from; they use specs, manifests and model servers, and no AWS constructs."""
