"""Reads the layers of a network from an ONNX file, and their outputs for a picture. Needs NumPy only.

It is used by ``POST /layers`` of the service, by the figures of training and by ``convoy describe``.
"""
