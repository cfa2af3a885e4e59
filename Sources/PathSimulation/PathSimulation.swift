// PathSimulation: see docs/architecture.md.
