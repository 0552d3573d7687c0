"""One package a domain; each knows the kernel and its engine, never another model."""
