"""Train linear softmax classifiers with very many classes, exactly or by sampling."""

__version__ = "0.1.0"
