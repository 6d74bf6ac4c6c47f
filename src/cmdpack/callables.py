"""What is known of callables that examples use and do not define, by their full names."""

# ruff: noqa: SIM905 - tables of words are read, and lengthened, as text

from typing import Literal

Kind = Literal[
    "opaque",  # may read or bind any name
    "process",  # changes the process, or the world outside
    "stream",  # draws from a hidden stream of random numbers
    "numbers",  # makes a stream of random numbers
    "fresh",  # gives immutable arrays that share nothing with its arguments
    "transforms",  # gives a callable that calls the function handed to it
    "data",  # calls functions handed to it at once, and gives data
    "lazy",  # gives an iterator that calls and uses up what it was handed when it is asked
    "consumes",  # uses up iterators handed to it
    "reads",  # only looks at its arguments
    "changes",  # changes its arguments
    "plain",  # gives something that holds its arguments; functions are called
    "wraps",  # the same, but functions are not called
]

_OPAQUE = (
    "builtins.exec builtins.eval builtins.globals builtins.locals builtins.compile "
    "builtins.__import__ builtins.breakpoint builtins.vars builtins.dir sys.modules sys._getframe "
    "sys._current_frames sys.settrace sys.setprofile gc.get_objects gc.get_referrers importlib "
    "runpy pickle.load pickle.loads code ctypes inspect.currentframe inspect.stack "
    "typing.get_type_hints builtins.__builtins__ builtins.__loader__ builtins.__spec__ threading "
    "multiprocessing concurrent asyncio doctest"
).split()
_PURE_BUILTINS = (
    "abs ascii bin bool callable chr complex divmod float format getattr hasattr hash hex id int "
    "isinstance issubclass len oct ord pow print range repr round slice str type"
).split()
_CONSUMING = "all any bytes bytearray dict frozenset list max min next set sorted sum tuple".split()
_LAZY = "enumerate filter iter map reversed zip aiter anext".split()
_WRAPPING = "classmethod property staticmethod object super memoryview".split()
_PURE_MODULES = (
    "math cmath functools itertools operator collections dataclasses typing typing_extensions enum "
    "abc copy datetime string re statistics fractions numbers types contextlib textwrap json "
    "__future__ keyword graphlib inspect timeit platform pprint decimal uuid hashlib base64 struct "
    "io time calendar numpy scipy jax jaxlib os.path pathlib.PurePath array heapq bisect ml_dtypes"
).split()
_READING = (
    "os.environ.get os.getenv os.cpu_count os.getpid os.getcwd os.environ.items os.environ.copy "
    "os.environ.keys sys.getsizeof sys.getrefcount sys.stdout.write sys.stdout.flush "
    "sys.stderr.write sys.stderr.flush sys.getrecursionlimit platform warnings.catch_warnings "
    "sys.version_info sys.exit builtins.exit builtins.quit"
).split()
_CHANGING = (
    "numpy.copyto numpy.put numpy.place numpy.putmask numpy.fill_diagonal numpy.put_along_axis "
    "heapq bisect.insort bisect.insort_left bisect.insort_right operator.setitem operator.delitem "
    "operator.iadd operator.iconcat operator.imul operator.isub operator.ior operator.iand "
    "operator.methodcaller json.dump pprint.pprint builtins.setattr builtins.delattr operator.call "
    "dataclasses.replace functools.singledispatch builtins.input"
).split()
_NUMBERS = (
    "numpy.random.default_rng numpy.random.Generator numpy.random.RandomState random.Random "
    "numpy.random.SeedSequence numpy.random.PCG64 numpy.random.Philox numpy.random.MT19937"
).split()
_TRANSFORMS = (
    "jit pjit pmap vmap grad value_and_grad jacobian jacfwd jacrev hessian checkpoint remat "
    "custom_vjp custom_jvp custom_gradient shard_map named_call custom_batching custom_vmap "
    "sequential_vmap vectorize fun_remat"
).split()
_FRESH = ("jax.numpy", "jax.random", "jax.nn", "jax.scipy")
_SHARING = {"asarray", "from_dlpack", "array", "astype", "broadcast_to", "reshape", "vectorize"}
_DATA = (
    "jax.lax jax.debug jax.tree jax.tree_util jax.eval_shape jax.block_until_ready jax.device_put "
    "jax.device_get jax.jvp jax.pure_callback jax.experimental.io_callback jax.devices "
    "jax.local_devices jax.make_mesh jax.sharding jax.make_array_from_callback jax.typeof"
).split()
_CONFIGURES = {
    "config",
    "distributed",
    "monitoring",
    "profiler",
    "ffi",
    "seterr",
    "seterrcall",
    "setbufsize",
    "clear_caches",
    "clear_backends",
}
_SETTING = (
    "register",
    "set_",
    "use_",
    "enable_",
    "start_",
    "stop_",
    "unregister",
)
_SCOPED = ("jax", "numpy", "warnings", "contextlib", "decimal")
_QUIET = (
    "flax optax equinox orbax chex haiku matplotlib scipy pandas sklearn torch numpyro blackjax "
    "distrax diffrax jaxtyping einops tqdm PIL os sys random logging warnings builtins threading "
    "subprocess shutil tempfile pathlib pickle inspect importlib gc multiprocessing concurrent "
    "asyncio glob csv platform argparse traceback signal socket urllib http secrets zlib gzip "
    "zipfile tarfile sqlite3 ast dis weakref atexit queue select ctypes codecs locale timeit "
    "unittest doctest pdb"
).split()


READING = frozenset(
    """all any argmax argmin argsort as_text astype at block_until_ready capitalize conj copy
    cost_analysis count cumprod cumsum decode devices diagonal dot encode endswith flatten format
    get index indices is_deleted is_integer isdigit item items join keys lstrip max mean
    memory_analysis min nonzero prod ravel repeat replace reshape round rsplit rstrip searchsorted
    split squeeze startswith std strip sum swapaxes take title tobytes tolist transpose upper
    values var zfill addressable_data on_device_size_in_bytes spec with_memory_kind
    is_fully_replicated __contains__ __len__ __eq__ __getitem__ issubset issuperset union
    intersection difference isdisjoint isalpha isalnum islower isupper most_common casefold center
    ljust rjust partition rpartition splitlines swapcase total_seconds isoformat strftime
    bit_length as_integer_ratio memory_stats device_kind shard_shape addressable_devices
    cache_info""".split()
)
"""Methods that change nothing."""

COMPILING = frozenset("""lower compile trace eval_shape""".split())
"""Methods of jitted functions that trace the function."""

STORING = frozenset(
    """append add appendleft extend extendleft insert update setdefault pop popleft popitem remove
    discard clear reverse rotate fill resize put itemset setflags partition __setitem__
    __delitem__ move_to_end subtract write writelines""".split()
)
"""Methods that change their object, and call nothing."""


def below(path: str, roots: object) -> bool:
    """Whether a full name is one of `roots`, or in one of them."""
    parts = path.split(".")
    return any(".".join(parts[: n + 1]) in roots for n in range(len(parts)))  # type: ignore[operator]


def importing_is_quiet(path: str) -> bool:
    """Whether importing a module only defines what is in it, as far as a program can tell."""
    return below(path, _PURE_MODULES) or below(path, _QUIET)


def configures(path: str) -> bool:
    """Whether a call, or an assignment, of this name changes the settings of a known library."""
    parts = path.split(".")
    return below(path, ("jax", "jaxlib", "numpy", "os.environ")) and (
        path.startswith("os.environ")
        or not _CONFIGURES.isdisjoint(parts)
        or parts[-1].startswith(_SETTING)
    )


def kind_of(path: str, *, scoped: bool) -> Kind:  # noqa: C901, PLR0911 - a table
    """What calling the callable of this full name does; `scoped`, if a ``with`` undoes it."""
    module, _, name = path.rpartition(".")
    if module == "builtins" and (found := _builtin(name)):
        return found
    if below(path, _OPAQUE):
        return "opaque"
    if below(path, _NUMBERS):
        return "numbers"
    if module in {"random", "numpy.random"}:
        return "process" if name in {"seed", "setstate", "set_state"} else "stream"
    if below(path, _CHANGING) or (below(path, ["numpy"]) and name == "at"):
        return "changes"
    if below(path, _READING):
        return "reads"
    if scoped and below(path, _SCOPED):
        return "plain"
    if configures(path) or not below(path, _PURE_MODULES):
        return "process"
    if below(path, ["jax"]):
        return _of_jax(path, name)
    if path in {"functools.lru_cache", "functools.cache"}:
        return "transforms"
    if module in {"functools", "dataclasses", "contextlib"} and name != "reduce":
        return "wraps"
    return "lazy" if module == "itertools" else "plain"


def _builtin(name: str) -> Kind | None:
    if name in _PURE_BUILTINS:
        return "reads"
    if name in _CONSUMING:
        return "consumes"
    if name in _LAZY:
        return "lazy"
    if name in _WRAPPING or name.endswith(
        ("Error", "Warning", "Exception", "Iteration", "Exit", "Interrupt", "Group")
    ):
        return "wraps"
    return "process" if name == "open" else None


def _of_jax(path: str, name: str) -> Kind:
    if name in _TRANSFORMS:
        return "transforms"
    if below(path, _FRESH) and name not in _SHARING:
        return "fresh"
    return "data" if below(path, _DATA) else "plain"
