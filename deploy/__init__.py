"""What runs the service beyond one machine, and what operators watch it with."""
