"""Training: manifests and a base model to a trained model directory."""
