"""Where data lie: StorageClass and its neighbours."""
