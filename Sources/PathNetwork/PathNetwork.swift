// PathNetwork: see docs/architecture.md.
