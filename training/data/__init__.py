"""Reads data sets: every source gives one :class:`~training.data.dataset.DataSet`."""
