"""Model servers: presets, weights and where they come from, and the arithmetic of GPU memory."""
