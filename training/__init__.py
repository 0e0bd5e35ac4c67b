"""Offline: trains a Keras network on a data set, and exports it as a calibrated, verified ONNX file.

``convoy --help`` lists the commands. TensorFlow is imported here and nowhere else in the project.
"""
