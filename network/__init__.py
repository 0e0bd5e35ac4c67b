"""What a network is made of, read from an ONNX file's bytes, and what its layers make of a picture. NumPy only.

``POST /layers`` of the service shows it, and so do the figures of training and ``convoy describe``: both read it here.
"""
