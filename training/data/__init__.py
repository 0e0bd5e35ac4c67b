"""Where pictures come from: every source becomes one :class:`~training.data.dataset.DataSet`."""
