"""The errors of training. Each message says what is wrong, names the file, and says what would be right.

::

    TrainingError
      DataError              a data set is missing, truncated, damaged or mislabelled
      RecipeError            a recipe or an option has an invalid value
      RunError               a run directory does not belong to this run, is damaged, or cannot be written
      ExportError            the ONNX file does not answer as the Keras network does
      PublishError           the model repository cannot be written
      ImportRefusedError     a foreign model cannot be taken, or does not say enough to be taken without guessing
      ModelFileError         a file is not a model of this project, or does not fit the data it is evaluated on

The command line prints the message, or the system's message of an ``OSError``, and exits with status 2.
"""


class TrainingError(Exception):
    """Base class. The message names the file and says what would be right."""


class DataError(TrainingError):
    """A data set is missing, truncated, damaged or mislabelled."""


class RecipeError(TrainingError):
    """A recipe or an option has an invalid value."""


class RunError(TrainingError):
    """A run directory holds a checkpoint of another run or a damaged one, or cannot be written."""


class ExportError(TrainingError):
    """The exported graph cannot be made, or does not answer as the Keras network does."""


class PublishError(TrainingError):
    """The model repository cannot be written; its content has not changed."""


class ImportRefusedError(TrainingError):
    """A foreign model cannot be taken, or what it expects is not known and is not guessed.

    Attributes:
        choices: lines of fixed text that say what would be right; the message may contain text from a foreign file.
    """

    def __init__(self, message: str, choices: str = "") -> None:
        super().__init__(message)
        self.choices = choices

    def __str__(self) -> str:
        """The message, and the choices below it."""
        return f"{self.args[0]}\n{self.choices}" if self.choices else str(self.args[0])


class ModelFileError(TrainingError):
    """A file is not a model of this project, or does not fit the data it is to be evaluated on."""
