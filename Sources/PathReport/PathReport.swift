// PathReport: see docs/architecture.md.
