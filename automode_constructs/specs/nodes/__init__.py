"""What a node is: NodeClass and all that it holds."""
