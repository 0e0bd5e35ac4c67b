"""Offline: a data set becomes a Keras network, and the network a calibrated, verified ONNX file.

``convoy --help`` lists the commands. TensorFlow is imported here and nowhere else in the project.
"""
