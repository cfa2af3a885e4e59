// Pathwise: see docs/architecture.md.
