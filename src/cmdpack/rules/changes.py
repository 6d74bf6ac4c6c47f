"""What JAX has removed, moved or renamed, where its own message does not say so: data alone.

Versions are those of JAX's changelog; None is what it does not tell. A row stands here only if it
fails with the JAX that the tests run, and if what it names instead exists there.
"""

from typing import NamedTuple


class Removed(NamedTuple):
    """A name that is gone: since which version, and deprecated since which.

    `instead` is what to use. After ``nothing:`` it is why the name can be dropped, after
    ``nothing public:`` why no public name succeeds it.
    """

    name: str
    removed: str | None
    deprecated: str | None
    instead: str


_SHARDING = "jax.device_put with a jax.sharding.NamedSharding"
_OWN = "nothing public: it was JAX's own, copy what you need"
_NONE = "nothing: it has no successor"
_ON = "nothing: it is always on"
_NO_CORE = "nothing public: jax.extend.core holds what is left of jax.core"
_CALLBACK = "jax.debug.callback, jax.pure_callback or jax.experimental.io_callback"
_BACKEND = "jax.default_backend(), jax.devices() or jax.extend.backend"

REMOVED = (
    # jax
    Removed("jax.tree_map", "0.6.0", "0.4.26", "jax.tree.map"),
    Removed("jax.tree_leaves", "0.6.0", "0.4.26", "jax.tree.leaves"),
    Removed("jax.tree_flatten", "0.6.0", "0.4.26", "jax.tree.flatten"),
    Removed("jax.tree_unflatten", "0.6.0", "0.4.26", "jax.tree.unflatten"),
    Removed("jax.tree_structure", "0.6.0", "0.4.26", "jax.tree.structure"),
    Removed("jax.tree_transpose", "0.6.0", "0.4.26", "jax.tree.transpose"),
    Removed("jax.treedef_is_leaf", "0.6.0", None, "jax.tree_util.treedef_is_leaf"),
    Removed("jax.tree_multimap", "0.3.16", "0.3.5", "jax.tree.map"),
    Removed("jax.tree_util.tree_multimap", "0.3.16", "0.3.5", "jax.tree.map"),
    Removed("jax.tree_util.build_tree", None, "0.6.0", "jax.tree.unflatten"),
    Removed(
        "jax.tree_util.register_keypaths",
        "0.4.24",
        "0.4.6",
        "jax.tree_util.register_pytree_with_keys",
    ),
    Removed("jax.soft_pmap", "0.3.21", None, "jax.shard_map"),
    Removed(
        "jax.xla_computation", "0.4.34", "0.4.30", "jax.jit(f).lower(*args).compiler_ir('hlo')"
    ),
    Removed("jax.clear_backends", "0.4.36", "0.4.26", "jax.clear_caches"),
    Removed("jax.mask", "0.3.16", None, "jax.numpy.where on a mask of your own"),
    Removed("jax.shapecheck", "0.3.16", None, "jax.eval_shape"),
    Removed("jax.partial", None, None, "functools.partial"),
    Removed("jax.curry", "0.4.14", None, "functools.partial"),
    Removed("jax.custom_transforms", None, None, "jax.custom_jvp or jax.custom_vjp"),
    Removed("jax.defjvp", None, None, "jax.custom_jvp"),
    Removed("jax.defvjp", None, None, "jax.custom_vjp"),
    Removed("jax.ShapedArray", "0.4.14", None, "jax.core.ShapedArray"),
    Removed("jax.xla", "0.4.14", None, "jax.interpreters.xla"),
    Removed("jax.pxla", "0.4.14", None, "jax.interpreters.pxla"),
    Removed("jax.partial_eval", "0.4.14", None, "jax.interpreters.partial_eval"),
    Removed("jax.api", None, None, "the same name in jax itself"),
    Removed("jax.device_put_sharded", "0.10.0", "0.8.1", _SHARDING),
    Removed("jax.device_put_replicated", "0.10.0", "0.8.1", _SHARDING),
    Removed("jax.config.config", "0.4.25", None, "jax.config"),
    Removed("jax.config.FLAGS", "0.4.25", None, "jax.config"),
    Removed("jax.config.enable_omnistaging", None, None, "nothing: it has been on since 0.2.0"),
    Removed("jax.config.define_bool_state", "0.4.25", None, _OWN),
    Removed("jax.config.jax_array", "0.4.14", None, "nothing: it has been on since 0.4.7"),
    Removed("jax.config.jax_jit_pjit_api_merge", "0.4.14", None, _ON),
    Removed("jax.config.jax_enable_memories", "0.5.0", None, _ON),
    Removed("jax.config.jax_eager_pmap", "0.6.0", None, _NONE),
    Removed("jax.config.jax_data_dependent_tracing_fallback", "0.6.0", None, _NONE),
    Removed("jax.config.jax_pmap_shmap_merge", "0.10.0", None, _ON),
    # Modules; a longer name that begins with one of these is gone with it
    Removed("jax.config", "0.4.29", "0.4.25", "`import jax`, then jax.config"),
    Removed("jax.linear_util", "0.4.24", "0.4.16", "jax.extend.linear_util"),
    Removed("jax.abstract_arrays", "0.4.17", "0.4.12", "jax.core"),
    Removed("jax.abstract_arrays.ShapedArray", "0.4.16", "0.4.12", "jax.core.ShapedArray"),
    Removed("jax.prng", "0.4.24", "0.4.16", "jax.extend.random"),
    Removed("jax.util", "0.8.0", "0.6.0", _OWN),
    Removed("jax.jaxpr_util", "0.4.16", None, _OWN),
    Removed("jax.extend.ffi", "0.8.0", "0.5.0", "jax.ffi"),
    Removed("jax.lib.xla_bridge", "0.8.0", "0.4.32", _BACKEND),
    Removed("jax.lib.xla_bridge.get_backend", "0.8.0", "0.4.32", "jax.extend.backend.get_backend"),
    Removed("jax.lib.xla_bridge.default_backend", "0.4.38", "0.4.32", "jax.default_backend"),
    Removed("jax.lib.xla_client", "0.8.0", "0.6.0", "jax.Device, jax.ffi or jax.export"),
    Removed("jax.lib.xla_client.Device", "0.5.0", "0.4.34", "jax.Device"),
    Removed("jax.lib.xla_client.XlaRuntimeError", "0.5.0", "0.4.34", "jax.errors.JaxRuntimeError"),
    Removed("jax.lib.xla_extension", "0.8.0", "0.6.0", "jax.errors.JaxRuntimeError or jax.Array"),
    Removed(
        "jax.lib.xla_extension.XlaRuntimeError", "0.6.0", "0.4.36", "jax.errors.JaxRuntimeError"
    ),
    Removed("jax.lib.xla_extension.ArrayImpl", "0.6.0", "0.4.36", "jax.Array"),
    Removed("jaxlib.xla_extension", None, None, "jax.errors.JaxRuntimeError or jax.Array"),
    Removed("jax.experimental.maps", "0.4.31", "0.4.26", "jax.shard_map"),
    Removed(
        "jax.experimental.maps.xmap",
        "0.4.31",
        "0.4.26",
        "jax.shard_map, or jax.vmap with spmd_axis_name",
    ),
    Removed("jax.experimental.maps.Mesh", "0.4.11", "0.4.1", "jax.sharding.Mesh"),
    Removed("jax.experimental.maps.mesh", None, None, "jax.make_mesh and jax.set_mesh"),
    Removed("jax.experimental.sharded_jit", None, None, "jax.jit with in_shardings"),
    Removed("jax.experimental.host_callback", "0.8.0", "0.4.26", _CALLBACK),
    Removed("jax.experimental.host_callback.call", "0.8.0", "0.4.26", "jax.pure_callback"),
    Removed("jax.experimental.host_callback.id_print", "0.8.0", "0.4.26", "jax.debug.print"),
    Removed("jax.experimental.host_callback.id_tap", "0.8.0", "0.4.26", "jax.debug.callback"),
    Removed("jax.experimental.callback", "0.4.2", None, "jax.pure_callback"),
    Removed("jax.experimental.export", "0.4.36", "0.4.30", "jax.export"),
    Removed("jax.experimental.array_api", "0.5.0", "0.4.32", "jax.numpy"),
    Removed(
        "jax.experimental.optimizers", "0.3.16", None, "optax, or jax.example_libraries.optimizers"
    ),
    Removed(
        "jax.experimental.stax", "0.3.16", None, "flax or equinox, or jax.example_libraries.stax"
    ),
    Removed("jax.experimental.loops", "0.3.16", None, "jax.lax.fori_loop or jax.lax.scan"),
    Removed("jax.experimental.global_device_array", "0.4.7", None, "jax.make_array_from_callback"),
    Removed(
        "jax.experimental.gda_serialization", None, "0.4.9", "jax.experimental.array_serialization"
    ),
    Removed("jax.experimental.ann", None, None, "jax.lax.approx_max_k"),
    Removed("jax.experimental.vectorize", None, None, "jax.numpy.vectorize"),
    Removed("jax.experimental.shard", "0.7.0", None, "jax.sharding.reshard and its neighbours"),
    Removed("jax.experimental.custom_dce", "0.10.0", None, _NONE),
    Removed("jax.experimental.PartitionSpec", "0.4.11", "0.4.1", "jax.sharding.PartitionSpec"),
    Removed("jax.experimental.enable_x64", None, "0.8.0", "jax.enable_x64"),
    Removed("jax.experimental.disable_x64", None, "0.8.0", "jax.enable_x64(False)"),
    Removed(
        "jax.experimental.pjit.with_sharding_constraint",
        None,
        "0.4.16",
        "jax.lax.with_sharding_constraint",
    ),
    Removed("jax.experimental.pjit.PartitionSpec", "0.4.11", "0.4.4", "jax.sharding.PartitionSpec"),
    Removed("jax.experimental.pjit.NamedSharding", "0.4.11", "0.4.4", "jax.sharding.NamedSharding"),
    Removed("jax.experimental.pjit.FROM_GDA", "0.4.11", "0.4.7", "a sharded jax.Array"),
    Removed(
        "jax.experimental.compilation_cache.compilation_cache.initialize_cache",
        "0.8.0",
        None,
        "jax.config.update('jax_compilation_cache_dir', DIR)",
    ),
    Removed("jax.interpreters.sharded_jit", None, None, "jax.jit with in_shardings"),
    Removed("jax.interpreters.masking", "0.3.16", None, "jax.numpy.where on a mask of your own"),
    # jax.interpreters
    Removed("jax.interpreters.xla.DeviceArray", "0.4.11", None, "jax.Array"),
    Removed("jax.interpreters.xla.Buffer", "0.4.11", None, "jax.Array"),
    Removed("jax.interpreters.xla.Device", "0.4.11", "0.4.4", "jax.Device"),
    Removed("jax.interpreters.xla.device_put", "0.4.11", "0.4.7", "jax.device_put"),
    Removed("jax.interpreters.xla.ShapedArray", "0.4.24", None, "jax.core.ShapedArray"),
    Removed("jax.interpreters.xla.abstractify", None, "0.5.0", "jax.typeof"),
    Removed("jax.interpreters.xla.xb", "0.4.36", "0.4.31", "jax.extend.backend"),
    Removed("jax.interpreters.pxla.ShardedDeviceArray", "0.4.14", "0.4.7", "jax.Array"),
    Removed("jax.interpreters.pxla.PartitionSpec", "0.4.11", "0.4.4", "jax.sharding.PartitionSpec"),
    Removed("jax.interpreters.pxla.Mesh", "0.4.11", "0.4.4", "jax.sharding.Mesh"),
    Removed("jax.interpreters.mlir.custom_call", "0.8.0", "0.6.0", "jax.ffi.ffi_call"),
    Removed("jax.interpreters.ad.config", "0.4.26", None, "jax.config"),
    # jax.core
    Removed("jax.core.Primitive", "0.6.0", "0.4.38", "jax.extend.core.Primitive"),
    Removed("jax.core.Jaxpr", "0.6.0", "0.4.38", "jax.extend.core.Jaxpr"),
    Removed("jax.core.ClosedJaxpr", "0.6.0", "0.4.38", "jax.extend.core.ClosedJaxpr"),
    Removed("jax.core.JaxprEqn", "0.6.0", "0.4.38", "jax.extend.core.JaxprEqn"),
    Removed("jax.core.Var", "0.6.0", "0.4.38", "jax.extend.core.Var"),
    Removed("jax.core.Literal", "0.6.0", "0.4.38", "jax.extend.core.Literal"),
    Removed("jax.core.Token", "0.6.0", "0.4.38", "jax.extend.core.Token"),
    Removed("jax.core.jaxpr_as_fun", "0.6.0", "0.4.38", "jax.extend.core.jaxpr_as_fun"),
    Removed("jax.core.raise_to_shaped", "0.6.0", "0.4.38", _NO_CORE),
    Removed("jax.core.full_lower", "0.6.0", "0.4.38", _NO_CORE),
    Removed("jax.core.concrete_aval", "0.6.0", "0.4.38", "jax.typeof"),
    Removed("jax.core.get_aval", "0.10.0", "0.8.2", "jax.typeof"),
    Removed("jax.core.ConcreteArray", "0.4.36", None, _NO_CORE),
    Removed("jax.core.new_sublevel", "0.4.36", None, _NO_CORE),
    Removed("jax.core.thread_local_state", "0.4.36", None, _NO_CORE),
    Removed("jax.core.AxisName", "0.7.0", None, "collections.abc.Hashable"),
    Removed("jax.core.axis_frame", "0.7.0", None, "jax.lax.axis_size"),
    Removed("jax.core.DimSize", "0.4.29", None, "int"),
    Removed("jax.core.Shape", "0.4.29", None, "tuple[int, ...]"),
    Removed(
        "jax.core.TracerArrayConversionError",
        "0.4.24",
        None,
        "jax.errors.TracerArrayConversionError",
    ),
    Removed("jax.core.UnexpectedTracerError", "0.4.24", None, "jax.errors.UnexpectedTracerError"),
    # jax.numpy, jax.lax, jax.nn, jax.scipy
    Removed("jax.numpy.DeviceArray", "0.4.14", "0.4.7", "jax.Array"),
    Removed("jax.numpy.msort", "0.4.9", "0.4.1", "jax.numpy.sort(a, axis=0)"),
    Removed("jax.numpy.alltrue", "0.4.16", "0.4.12", "jax.numpy.all"),
    Removed("jax.numpy.sometrue", "0.4.16", "0.4.12", "jax.numpy.any"),
    Removed("jax.numpy.product", "0.4.16", "0.4.12", "jax.numpy.prod"),
    Removed("jax.numpy.cumproduct", "0.4.16", "0.4.12", "jax.numpy.cumprod"),
    Removed("jax.numpy.trapz", "0.4.24", "0.4.16", "jax.numpy.trapezoid"),
    Removed("jax.numpy.in1d", "0.4.24", "0.4.16", "jax.numpy.isin"),
    Removed("jax.numpy.row_stack", "0.4.24", "0.4.16", "jax.numpy.vstack"),
    Removed("jax.numpy.round_", "0.4.38", "0.4.32", "jax.numpy.round"),
    Removed("jax.numpy.fix", "0.10.0", "0.9.0", "jax.numpy.trunc"),
    Removed("jax.numpy.NINF", "0.4.24", "0.4.16", "-jax.numpy.inf"),
    Removed("jax.numpy.PZERO", "0.4.24", "0.4.16", "0.0"),
    Removed("jax.numpy.NZERO", "0.4.24", "0.4.16", "-0.0"),
    Removed("jax.numpy.issubsctype", "0.4.24", "0.4.16", "jax.numpy.issubdtype"),
    Removed("jax.lax.tie_in", "0.4.29", "0.4.24", "nothing: it did nothing since 0.2.0"),
    Removed("jax.lax.prod", "0.4.16", "0.4.11", "math.prod"),
    Removed("jax.lax.infeed", "0.7.0", "0.6.0", "jax.experimental.io_callback"),
    Removed("jax.lax.outfeed", "0.7.0", "0.6.0", "jax.experimental.io_callback"),
    Removed("jax.lax.zeros_like_array", None, "0.7.1", "jax.numpy.zeros_like"),
    Removed("jax.nn.normalize", "0.4.29", None, "jax.nn.standardize"),
    Removed("jax.scipy.linalg.tril", "0.4.24", "0.4.16", "jax.numpy.tril"),
    Removed("jax.scipy.linalg.triu", "0.4.24", "0.4.16", "jax.numpy.triu"),
    Removed("jax.scipy.linalg.polar_unitary", "0.4.3", None, "jax.scipy.linalg.polar"),
    Removed("jax.scipy.special.sph_harm", "0.10.0", "0.7.0", "jax.scipy.special.sph_harm_y"),
    # jax.random, jax.ops
    Removed("jax.random.KeyArray", "0.4.24", "0.4.16", "jax.Array"),
    Removed("jax.random.PRNGKeyArray", "0.4.24", "0.4.16", "jax.Array"),
    Removed(
        "jax.random.shuffle", "0.4.31", None, "jax.random.permutation(key, x, independent=True)"
    ),
    Removed(
        "jax.random.threefry2x32_key",
        "0.4.24",
        "0.4.17",
        "jax.random.key(seed, impl='threefry2x32')",
    ),
    Removed("jax.random.rbg_key", "0.4.24", "0.4.17", "jax.random.key(seed, impl='rbg')"),
    Removed("jax.random.default_prng_impl", "0.4.24", None, "jax.config.jax_default_prng_impl"),
    Removed("jax.ops.index_update", "0.3.2", "0.2.22", "x.at[i].set(y)"),
    Removed("jax.ops.index_add", "0.3.2", "0.2.22", "x.at[i].add(y)"),
    Removed("jax.ops.index_mul", "0.3.2", "0.2.22", "x.at[i].multiply(y)"),
    Removed("jax.ops.index_min", "0.3.2", "0.2.22", "x.at[i].min(y)"),
    Removed("jax.ops.index_max", "0.3.2", "0.2.22", "x.at[i].max(y)"),
    Removed("jax.ops.index", None, None, "x.at[i], or jax.numpy.index_exp"),
    # jax.sharding, and others
    Removed("jax.sharding.PmapSharding", "0.10.0", "0.8.1", "jax.sharding.NamedSharding"),
    Removed("jax.sharding.PositionalSharding", None, None, "jax.sharding.NamedSharding"),
    Removed("jax.sharding.OpShardingSharding", "0.4.12", "0.4.5", "jax.sharding.NamedSharding"),
    Removed("jax.sharding.MeshPspecSharding", None, None, "jax.sharding.NamedSharding"),
    Removed("jax.sharding.GSPMDSharding", None, None, "jax.sharding.NamedSharding"),
    Removed("jax.sharding.XLACompatibleSharding", "0.4.34", "0.4.29", "jax.sharding.Sharding"),
    Removed("jax.sharding.use_mesh", "0.7.1", None, "jax.set_mesh"),
    Removed("jax.dlpack.to_dlpack", None, "0.6.0", "the array itself: it speaks DLPack"),
    Removed("jax.profiler.TraceContext", None, None, "jax.profiler.TraceAnnotation"),
    Removed("jax.profiler.StepTraceContext", None, None, "jax.profiler.StepTraceAnnotation"),
    Removed("jax.custom_derivatives.custom_jvp_call_jaxpr_p", "0.8.0", "0.6.1", _OWN),
    # Methods of arrays
    Removed("jax.Array.broadcast", "0.4.14", "0.4.5", "jax.lax.broadcast"),
    Removed("jax.Array.broadcast_in_dim", "0.4.14", "0.4.5", "jax.lax.broadcast_in_dim"),
    Removed("jax.Array.split", "0.4.14", "0.4.5", "jax.numpy.split"),
    Removed("jax.Array.block_host_until_ready", "0.4.1", None, "x.block_until_ready()"),
    Removed("jax.Array.device_buffer", "0.4.27", "0.4.22", "x.addressable_data(0)"),
    Removed("jax.Array.device_buffers", "0.4.27", "0.4.22", "x.addressable_shards"),
)


class RemovedArgument(NamedTuple):
    """A keyword argument that is gone from the function of JAX that is called `function`."""

    function: str
    argument: str
    removed: str | None
    deprecated: str | None
    instead: str


REMOVED_ARGUMENTS = (
    RemovedArgument("clip", "a_min", "0.10.0", "0.4.27", "min="),
    RemovedArgument("clip", "a_max", "0.10.0", "0.4.27", "max="),
    RemovedArgument("reshape", "newshape", None, "0.4.28", "shape="),
    RemovedArgument("solve", "sym_pos", "0.4.21", None, "assume_a='pos'"),
    RemovedArgument("softmax", "initial", "0.4.36", "0.4.27", "nothing: empty inputs work without"),
    RemovedArgument(
        "log_softmax", "initial", "0.4.36", "0.4.27", "nothing: empty inputs work without"
    ),
    RemovedArgument("shard_map", "check_rep", None, None, "check_vma="),
    RemovedArgument("shard_map", "auto", "0.8.0", None, "axis_names="),
    RemovedArgument("pjit", "in_axis_resources", "0.4.14", "0.4.9", "in_shardings="),
    RemovedArgument("pjit", "out_axis_resources", "0.4.14", "0.4.9", "out_shardings="),
    RemovedArgument("with_sharding_constraint", "axis_resources", "0.4.11", "0.4.4", "shardings="),
    RemovedArgument(
        "ShapeDtypeStruct", "named_shape", "0.4.34", None, "nothing: it has no successor"
    ),
    RemovedArgument("pmap", "global_arg_shapes", "0.4.8", None, "nothing: it has no successor"),
    RemovedArgument("jit", "abstracted_axes", None, None, "jax.export with symbolic shapes"),
)


class Added(NamedTuple):
    """A name that an older JAX than that of `since` does not have yet."""

    name: str
    since: str


ADDED = (
    Added("jax.P", "0.7.0"),
    Added("jax.set_mesh", "0.7.1"),
    Added("jax.lax.axis_size", "0.6.1"),
    Added("jax.tree.broadcast", "0.6.2"),
    Added("jax.tree.reduce_associative", "0.7.0"),
    Added("jax.ffi", "0.5.0"),
    Added("jax.tree.map_with_path", "0.4.38"),
    Added("jax.errors.JaxRuntimeError", "0.4.34"),
    Added("jax.export", "0.4.30"),
    Added("jax.numpy.trapezoid", "0.4.26"),
    Added("jax.tree", "0.4.25"),
)
