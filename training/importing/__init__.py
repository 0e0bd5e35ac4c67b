"""``convoy import``: converts classifiers that were trained elsewhere to this project's ONNX contract.

::

    sources (keras, saved_model, onnx; sidecars beside them) -> stated -> expected -> served_onnx -> proof -> published

The rule: facts are read from the files or asked for, never guessed silently, and the converted file is proved to give
the same answers. ONNX sources need no TensorFlow. Reading a foreign file runs no code from it.
"""
