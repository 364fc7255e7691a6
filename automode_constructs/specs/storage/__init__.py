"""Storage: StorageClass and related kinds."""
