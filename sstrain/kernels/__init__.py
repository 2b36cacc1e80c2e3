"""Every numba kernel: pure functions on arrays, loaded when first called.

Parts write ``from sstrain import kernels`` and call ``kernels.name(...)``; the stub beside this
file lists the names.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
