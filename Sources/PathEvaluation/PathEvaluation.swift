// PathEvaluation: see docs/architecture.md.
