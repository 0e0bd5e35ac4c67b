"""Figures of the data, the training and the mistakes of a network: one function per figure, without global state."""
