"""What the network saw, learnt and got wrong, as pictures: one figure a function, drawn without global state."""
