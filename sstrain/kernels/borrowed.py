"""Arrays that a kernel's helpers take without counting references."""

from typing import Any, TypeVar, cast

from llvmlite import ir
from numba.core.imputils import impl_ret_untracked
from numba.extending import intrinsic, overload

__all__ = ["borrowed"]

_Array = TypeVar("_Array")


def borrowed(array: _Array) -> _Array:
    """Return the array as one that owns nothing.

    Every call of a helper that LLVM does not inline counts a reference to each array up and down
    again, atomically, which was two thirds of the time of a parser made of small functions. A
    kernel's caller keeps its arrays alive, so that its helpers need not.
    """
    return array


def _without_owner(typing_context: Any, array: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        struct = context.make_array(array)(context, builder, arguments[0])
        struct.meminfo = ir.Constant(struct.meminfo.type, None)
        return cast(Any, impl_ret_untracked)(context, builder, array, struct._getvalue())

    return array(array), generate


_borrow: Any = intrinsic(_without_owner)


@overload(borrowed)
def _borrowed(array: Any) -> Any:
    def implementation(array: Any) -> Any:
        return _borrow(array)

    return implementation
