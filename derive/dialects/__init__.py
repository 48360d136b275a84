"""The words of the frameworks: calls as people write them, read as operators."""
