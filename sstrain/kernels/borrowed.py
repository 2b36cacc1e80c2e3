"""Arrays that a kernel's helpers take without counting references."""

from typing import Any, TypeVar, cast

from llvmlite import ir
from numba import types
from numba.core.imputils import impl_ret_untracked
from numba.extending import intrinsic, overload

__all__ = ["borrowed"]

_Borrowed = TypeVar("_Borrowed")


def borrowed(value: _Borrowed) -> _Borrowed:
    """Return an array, or a tuple that holds arrays, as one that owns nothing.

    Each time a helper takes an array, or a field of a tuple, a reference to it is counted up and
    down again, atomically: two thirds of the time of a parser made of small functions, and of a
    draw. A kernel's caller keeps its arrays alive, so that its helpers need not. What a kernel
    makes itself would be freed at its last use under its own name, and is not to be borrowed.
    """
    return value


def _without_owner(context: Any, builder: Any, kind: Any, value: Any) -> Any:
    """Return a value of a type with the owners of its arrays taken out."""
    if isinstance(kind, types.Array):
        struct = context.make_array(kind)(context, builder, value)
        struct.meminfo = ir.Constant(struct.meminfo.type, None)
        return struct._getvalue()
    if isinstance(kind, types.BaseTuple):
        parts = [
            _without_owner(context, builder, part, builder.extract_value(value, place))
            for place, part in enumerate(cast(Any, kind))
        ]
        return context.make_tuple(builder, kind, parts)
    return value


def _borrow_any(typing_context: Any, value: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        found = _without_owner(context, builder, value, arguments[0])
        return cast(Any, impl_ret_untracked)(context, builder, value, found)

    return value(value), generate


_borrow: Any = intrinsic(_borrow_any)


@overload(borrowed)
def _borrowed(value: Any) -> Any:
    def implementation(value: Any) -> Any:
        return _borrow(value)

    return implementation
