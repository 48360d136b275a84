"""Proofs as documents: one model, written as LaTeX, as HTML with MathML, and as Markdown."""
