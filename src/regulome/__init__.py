"""regulome: four published systems that learn gene regulation, rebuilt as one reproducible notebook repository."""

__version__ = "1.0.0"
