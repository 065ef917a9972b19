"""What may stand where: the schema of a document, and one schema for the arguments of each op."""
