// DenseMath: see docs/architecture.md.
