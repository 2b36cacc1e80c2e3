"""``label index:value ...`` lines, as libsvm, liblinear and scikit-learn write them."""

from typing import Literal

from sstrain.data.base import Source


class Svmlight(Source):
    """svmlight / libsvm text."""

    format: Literal["svmlight"] = "svmlight"
    #: ``auto`` is 0 if index 0 occurs in the training file, else 1; then fixed for other files.
    index_base: Literal["auto", 0, 1] = "auto"
