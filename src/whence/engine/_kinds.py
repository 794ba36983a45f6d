"""The table of torch's operations: the only place that knows torch's names.

`kind_of(func)` turns a callable that a `TorchFunctionMode` sees into a `Kind`: one name for all
spellings (`add`, `Tensor.add_`, `+=`), the operation's nature, and where its `inplace` flag is.
To support an operation, add its name to one line of `NATURES`.
"""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

# Each nature says how relevance passes when no rule was chosen; `engine/_natures.py` acts on it.
NATURES: dict[str, str] = {
    # moves values around, copies or drops them
    "index": """
        view view_as reshape reshape_as flatten unflatten squeeze unsqueeze permute transpose t T
        mT H mH swapaxes swapdims movedim moveaxis adjoint contiguous clone cat concat concatenate
        stack hstack vstack dstack column_stack row_stack split split_with_sizes tensor_split
        hsplit vsplit dsplit chunk unsafe_chunk unsafe_split unbind getitem select narrow
        index_select gather take take_along_dim masked_select expand expand_as broadcast_to
        broadcast_tensors repeat repeat_interleave tile roll flip fliplr flipud rot90 pad
        constant_pad_nd pixel_shuffle pixel_unshuffle channel_shuffle native_channel_shuffle where
        masked_fill tril triu diagonal diag diag_embed unfold as_strided atleast_1d atleast_2d
        atleast_3d to float double half bfloat16 type type_as cpu cuda dropout dropout1d dropout2d
        dropout3d alpha_dropout feature_dropout feature_alpha_dropout positive setitem copy
        index_put index_copy scatter select_scatter slice_scatter masked_scatter index_fill fill
        zero max_unpool1d max_unpool2d max_unpool3d ravel detach_copy unsqueeze_copy view_copy
        block_diag fill_diagonal requires_grad __copy__ __deepcopy__ as_tensor asarray resolve_conj
        resolve_neg alias rewrite pad_sequence _pack_padded_sequence _pad_packed_sequence
        """,
    # a dense or convolutional map with weights: needs a rule
    "linear": """
        linear conv1d conv2d conv3d conv_transpose1d conv_transpose2d conv_transpose3d convolution
        matmul mm bmm mv addmm addbmm baddbmm addmv einsum bilinear tensordot inner outer
        chain_matmul multi_dot dot vdot kron grouped_mm
        """,
    # a sum with fixed, mostly equal coefficients
    "average": """
        sum mean nansum nanmean cumsum avg_pool1d avg_pool2d avg_pool3d adaptive_avg_pool1d
        adaptive_avg_pool2d adaptive_avg_pool3d interpolate upsample upsample_nearest
        upsample_bilinear grid_sample affine_grid fold index_add scatter_add scatter_reduce
        index_reduce trace diff trapz trapezoid segment_reduce
        """,
    "sum": "add sub subtract rsub sum_to_size addcmul addcdiv lerp",
    # times or plus a constant; turns into a product where both operands depend on the input
    "scale": "mul multiply neg negative div divide true_divide truediv rtruediv rdiv",
    "affine": "batch_norm",
    "pointwise": """
        relu relu6 leaky_relu elu celu selu gelu silu mish hardswish hardsigmoid hardtanh
        hardshrink softshrink softplus softsign tanhshrink tanh sigmoid expit logsigmoid threshold
        prelu rrelu clamp clip clamp_min clamp_max abs absolute sqrt square pow float_power exp
        expm1 exp2 sin cos tan sinh cosh asinh atan arctan asin arcsin erf erfc log1p sinc
        nan_to_num
        """,
    # their identity rule would divide by f(0) = infinity: fine as a held factor, never a signal
    "inverse": "reciprocal rsqrt log log2 log10 logit erfinv lgamma digamma acosh atanh",
    "max": """
        max_pool1d max_pool2d max_pool3d max_pool1d_with_indices max_pool2d_with_indices
        max_pool3d_with_indices adaptive_max_pool1d adaptive_max_pool2d adaptive_max_pool3d
        adaptive_max_pool1d_with_indices adaptive_max_pool2d_with_indices
        adaptive_max_pool3d_with_indices fractional_max_pool2d fractional_max_pool3d
        max min amax amin maximum minimum fmax fmin sort topk kthvalue median nanmedian mode cummax
        cummin lp_pool1d lp_pool2d lp_pool3d norm vector_norm frobenius_norm std var
        """,
    "norm": """
        layer_norm group_norm instance_norm rms_norm local_response_norm normalize
        """,
    "softmax": "softmax log_softmax softmin logsumexp gumbel_softmax",
    "product": "glu",
    "attention": "scaled_dot_product_attention multi_head_attention_forward",
    "recurrent": """
        lstm gru rnn_tanh rnn_relu lstm_cell gru_cell rnn_tanh_cell rnn_relu_cell
        """,
    "embedding": "embedding embedding_bag",
    # no derivative, or one that the model asked not to have
    "constant": """
        zeros ones empty full rand randn randint randperm arange linspace logspace eye tensor
        scalar_tensor zeros_like ones_like empty_like full_like rand_like randn_like randint_like
        new_zeros new_ones new_empty new_full new_tensor argmax argmin argsort argwhere nonzero
        sign sgn floor ceil round trunc fix heaviside detach data eq ne lt le gt ge equal isnan
        isinf isfinite isclose allclose logical_and logical_or logical_not logical_xor bool int
        long short byte char bernoulli multinomial one_hot searchsorted bucketize unique
        unique_consecutive bincount histc count_nonzero any all floor_divide floordiv
        rfloordiv remainder fmod shape_as_tensor normal uniform bitwise_and
        bitwise_or bitwise_not bitwise_xor
        """,
    # reads geometry or plain numbers, never makes a tensor
    "geometry": """
        shape dtype device size dim ndim ndimension numel nelement stride storage_offset layout
        is_contiguous is_floating_point is_complex requires_grad_read is_cuda is_cpu is_sparse
        is_quantized is_mkldnn is_meta is_nested is_mps is_xpu is_xla is_vulkan is_leaf grad grad_fn
        names has_names
        element_size itemsize nbytes data_ptr storage untyped_storage item tolist numpy __len__
        __bool__ __float__ __int__ __index__ __contains__ __repr__ __format__ __hash__ __array__
        __dlpack__ __dlpack_device__ get_device is_same_size is_shared is_pinned
        is_inference _version output_nr
        backward is_tensor result_type broadcast_shapes can_cast is_nonzero is_signed dense_dim
        sparse_dim _is_view _base __dir__ __reduce_ex__ type_name is_conj is_neg is_distributed
        retains_grad
        """,
}

_SPELLINGS = {
    "__getitem__": "getitem",
    "__setitem__": "setitem",
    "__rsub__": "rsub",
    "__rdiv__": "rdiv",
    "__rtruediv__": "rtruediv",
    "__rpow__": "rpow",
    "__rmatmul__": "rmatmul",
    "__matmul__": "matmul",
    "__pow__": "pow",
    "__floordiv__": "floordiv",
    "__rfloordiv__": "rfloordiv",
    "__mod__": "remainder",
    "__rmul__": "mul",
    "__radd__": "add",
    "__pos__": "positive",
    "__neg__": "neg",
    "__abs__": "abs",
    "__invert__": "bitwise_not",
    "__and__": "bitwise_and",
    "__or__": "bitwise_or",
    "__xor__": "bitwise_xor",
    "__eq__": "eq",
    "__iadd__": "add_",
    "__isub__": "sub_",
    "__imul__": "mul_",
    "__itruediv__": "div_",
    "__idiv__": "div_",
    "__ipow__": "pow_",
}
_NATURE_OF = {name: nature for nature, names in NATURES.items() for name in names.split()}
_ALIASES = {
    "concat": "cat",
    "concatenate": "cat",
    "subtract": "sub",
    "multiply": "mul",
    "divide": "div",
    "true_divide": "div",
    "truediv": "div",
    "negative": "neg",
    "absolute": "abs",
    "clip": "clamp",
    "expit": "sigmoid",
    "arctan": "atan",
    "arcsin": "asin",
    "rdiv": "rtruediv",
    "__mul__": "mul",
    "_grouped_mm": "grouped_mm",
    "grouped_mm_fallback": "grouped_mm",
    "_threshold": "threshold",
    "log_sigmoid": "logsigmoid",
}
# torch names whose trailing underscore does not mean "in place"
_NOT_IN_PLACE = {"requires_grad_", "_"}
_ALIASING = set(
    """view view_as reshape reshape_as flatten unflatten squeeze unsqueeze permute transpose t T mT
    H mH swapaxes swapdims movedim moveaxis adjoint split split_with_sizes tensor_split hsplit
    vsplit dsplit chunk unbind getitem select narrow expand expand_as broadcast_to
    broadcast_tensors diagonal unfold as_strided detach data contiguous to float double ravel
    positive dropout dropout1d dropout2d dropout3d alpha_dropout feature_dropout
    feature_alpha_dropout atleast_1d atleast_2d atleast_3d type type_as cpu cuda alias
    broadcast_to""".split()
)


@dataclass(frozen=True, slots=True)
class Kind:
    """One semantic operation: its name, nature, and how torch spells "in place" for it."""

    name: str
    nature: str
    in_place: bool = False
    in_place_position: int = -1  # where a positional `inplace` argument sits, or -1
    aliases: bool = False  # the output may share memory with the input

    def writes(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> bool:
        """Whether this call overwrites its first argument."""
        if self.in_place or kwargs.get("inplace", False):
            return True
        position = self.in_place_position
        return 0 <= position < len(args) and bool(args[position])


_cache: dict[Callable[..., Any], Kind] = {}


def kind_of(func: Callable[..., Any]) -> Kind:
    """The kind of a callable; names that the table lacks come back with nature "unknown"."""
    kind = _cache.get(func)
    if kind is None:
        kind = _cache[func] = _classify(func)
    return kind


def known_names() -> list[str]:
    """All operation names of the table, sorted; used by `where.kind` to check its arguments."""
    return sorted(_NATURE_OF)


def _classify(func: Callable[..., Any]) -> Kind:
    name = getattr(func, "__name__", repr(func))
    if name in ("__get__", "__set__", "__delete__"):
        return _classify_property(func, name)
    if name in ("_set_grad_enabled", "_is_all_true"):
        return Kind(name, "geometry")
    name = _SPELLINGS.get(name, name)
    in_place = name.endswith("_") and not name.endswith("__") and name not in _NOT_IN_PLACE
    name = name.rstrip("_") if in_place else name
    for prefix in ("linalg_", "special_"):
        name = name.removeprefix(prefix)
    name = _ALIASES.get(name, name)
    nature = _NATURE_OF.get(name, "unknown")
    if name in ("rpow", "rmatmul"):
        nature = "pointwise" if name == "rpow" else "linear"
    return Kind(
        name,
        nature,
        in_place or name == "setitem",
        _in_place_position(func),
        name in _ALIASING,
    )


def _classify_property(func: Callable[..., Any], access: str) -> Kind:
    name = getattr(getattr(func, "__self__", None), "__name__", "property")
    if access != "__get__":
        return Kind(name, "unknown", in_place=True)
    nature = _NATURE_OF.get(name, "geometry")
    return Kind(name, nature, aliases=name in _ALIASING)


def _in_place_position(func: Callable[..., Any]) -> int:
    if getattr(func, "__module__", None) != torch.nn.functional.__name__:
        return -1
    try:
        names = list(inspect.signature(func).parameters)
    except (TypeError, ValueError):
        return -1
    return names.index("inplace") if "inplace" in names else -1
