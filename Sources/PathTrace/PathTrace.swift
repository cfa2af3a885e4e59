// PathTrace: see docs/architecture.md.
