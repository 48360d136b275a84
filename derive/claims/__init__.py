"""The claim court: a claim in the words of the field is read, judged for all sizes, and reported."""
