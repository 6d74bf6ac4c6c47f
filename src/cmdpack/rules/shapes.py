"""Shapes, types and structures that do not fit each other."""

import re

from cmdpack.result import Failure
from cmdpack.rules.base import Circumstances, Finding, Saying, finding, match_saying, through

_SHAPES = (
    Saying(
        r"dot_general requires contracting dimensions to have the same shape, "
        r"got \((?P<a>.*?),?\) and \((?P<b>.*?),?\)",
        "the dimensions that a product sums over must be equal, and are {a} and {b}",
        "transpose or reshape one of the two: the last of the left, the last but one of the right",
    ),
    Saying(
        r"^(?P<what>[\w.]+) got incompatible shapes for broadcasting: (?P<shapes>.+?)\.?$",
        "{what} cannot broadcast the shapes {shapes}: from the right, sizes must be equal or 1",
        "add an axis with x[:, None], or reshape one of the two",
    ),
    Saying(
        r"^Incompatible (?:types|shapes) for broadcasting: (?P<what>.+?)\.?$",
        "the value does not fit the place it is to be written to: {what}",
        "give the value the shape of the place",
    ),
    Saying(
        r"^Cannot concatenate .*along dimension (?P<axis>\d+) for shapes (?P<shapes>.+?)\.?$",
        "arrays of the shapes {shapes} differ in another dimension than {axis}, along which they "
        "are joined",
        "join along the dimension in which they differ (axis=), or make them equal",
    ),
    Saying(
        r"^All input arrays must have the same shape\. Got (?P<shapes>.+?)\.?$",
        "only arrays of one shape can be stacked, and these have {shapes}",
        "pad them to one shape, or concatenate them",
    ),
    Saying(
        r"^cannot reshape array of (?:shape (?P<shape>\(.*?\)) \()?size (?P<size>\d+)\)? into "
        r"shape (?P<wanted>\(.*?\)|\d+)",
        "{size} elements do not fill the shape {wanted}",
        "let one dimension follow: -1 in its place",
    ),
    Saying(
        r"^vmap in_axes must .*got len\(in_axes\)=(?P<axes>\d+), len\(args\)=(?P<given>\d+)",
        "in_axes tells of {axes} arguments, and the call gives {given}",
        "let in_axes have one entry for each argument of the call",
    ),
    Saying(
        r"^vmap was requested to map its argument along axis (?P<axis>-?\d+).*shape is "
        r"(?P<shape>\(.*?\))",
        "vmap is to go along axis {axis} of an argument of shape {shape}, which has none",
        "give in_axes=None for it, or an argument with one more dimension",
    ),
    Saying(
        r"^Size of label '(?P<label>\w+)' for operand (?P<operand>\d+) \((?P<a>\d+)\) does not "
        r"match previous terms \((?P<b>\d+)\)",
        "einsum uses the letter {label} for a dimension of size {a} and for one of size {b}",
        "give different dimensions different letters, or correct the order of the letters",
    ),
    Saying(
        r"^(?P<loop>\w+) body function carry input and carry output must .*?"
        r"(?:The input carry|carry) (?P<what>.+?)\.\s",
        "what {loop} carries must keep its type from step to step, but the input carry {what}",
        "let the start have the shape and type that the body returns",
    ),
    Saying(
        r"^(?P<what>\w+) branches must have equal output types but they differ.*?"
        r"(?P<how>The output .+?)\.\s",
        "both branches of {what} must return the same type: {how}",
        "let both return the same shape and type",
    ),
    Saying(
        r"^Too many indices: array is (?P<rank>\d+)-dimensional, but (?P<given>\d+)",
        "{given} indices for an array of {rank} dimensions",
        "look at its .shape; x[None] adds a dimension",
    ),
    Saying(
        r"^axis (?P<axis>-?\d+) is out of bounds for array of dimension (?P<rank>\d+)",
        "there is no axis {axis} in an array of {rank} dimensions, counted from 0",
        "name an axis that it has",
    ),
    Saying(
        r"^cannot select an axis to squeeze out .*got shape=(?P<shape>\(.*?\)) and dimensions="
        r"\((?P<axis>\d+)",
        "axis {axis} of the shape {shape} has more than one element and cannot be left out",
        "name an axis of size 1",
    ),
    Saying(
        r"^array split does not result in an equal division: rest is (?P<rest>\d+)",
        "the parts would not be equal: {rest} would be left over",
        "use jax.numpy.array_split, or pad the array",
    ),
    Saying(
        r"^operands could not be broadcast together with shapes (?P<shapes>.+?)\s*$",
        "NumPy cannot broadcast the shapes {shapes}: from the right, sizes must be equal or 1",
        "add an axis with x[:, None], or reshape one of the two",
    ),
    Saying(
        r"^matmul: Input operand \d has a mismatch in its core dimension .*"
        r"\(size (?P<a>\d+) is different from (?P<b>\d+)\)",
        "the dimensions that a product sums over must be equal, and are {b} and {a}",
        "transpose or reshape one of the two: the last of the left, the last but one of the right",
    ),
    Saying(
        r"^scan got values with different leading axis sizes: (?P<sizes>[\d, ]+)",
        "scan goes along the first axis of all its inputs, and these have {sizes} entries",
        "give them the same length; what is the same in all steps belongs into the function",
    ),
    Saying(
        r"^slice slice_sizes must be less than or equal to operand shape, got slice_sizes "
        r"(?P<wanted>\(.*?\)) for operand shape (?P<shape>\(.*?\))",
        "a slice of {wanted} does not fit into the shape {shape}",
        "take a smaller slice",
    ),
    Saying(
        r"^Einstein sum subscript '(?P<letters>\w*)' does not contain the correct number of "
        r"indices for operand (?P<operand>\d+)",
        "einsum names {letters} for the dimensions of operand {operand}, which has not so many",
        "write one letter for each dimension",
    ),
    Saying(
        r"^Pred must be a scalar, got .* of shape (?P<shape>\(.*?\))",
        "the condition of jax.lax.cond must be one truth value, and has the shape {shape}",
        "write jax.numpy.where(condition, a, b), which chooses for each element",
    ),
    Saying(
        r"^Gradient only defined for scalar-output functions\. Output (?P<what>.+?)\.?$",
        "grad differentiates functions that return one number; the output {what}",
        "return a number, such as the mean or the sum; or use jax.jacobian, or vmap of the grad",
    ),
    Saying(
        r"^Only scalar arrays can be converted to Python scalars; got arr\.ndim=(?P<rank>\d+)",
        "an array of {rank} dimensions, were it of one element, is no Python number",
        "pick the element: x[0], or x.item() for the only one",
    ),
    Saying(
        r"^The truth value of an array with more than one element is ambiguous",
        "an array of several elements is neither true nor false",
        "say which is meant: x.any() or x.all()",
    ),
    Saying(
        r"^setting an array element with a sequence.*inhomogeneous",
        "the rows have different lengths, and an array has one shape",
        "pad the rows to one length",
    ),
    Saying(
        r"is only valid for values of rank at least (?P<wanted>\d+), but was applied to a value of "
        r"rank (?P<rank>\d+)",
        "the sharding names {wanted} dimensions, and the array has {rank}",
        "let the PartitionSpec have at most one entry for each dimension",
    ),
)

_TYPES = (
    Saying(
        r"^(?P<what>grad|value_and_grad|jacrev|jacfwd|hessian|jvp|vjp) requires real-.*?inputs.* "
        r"but got (?P<type>\w+)",
        "{what} differentiates by real numbers, and the argument is of type {type}",
        "pass a float: 3.0, or x.astype(float); or name other arguments with argnums=",
    ),
    Saying(
        r"^(?P<what>\w+) requires real-valued outputs .*but got (?P<type>\w+)",
        "{what} differentiates functions with a real result, and this one is of type {type}",
        "return a float; for complex results pass holomorphic=True, or take the real part",
    ),
    Saying(
        r"^(?P<what>lax\.\w+) requires arguments to have the same dtypes, got (?P<types>[\w, ]+)",
        "{what} converts nothing, and its arguments are {types}",
        "use the function of the same name in jax.numpy, which does, or x.astype(...)",
    ),
    Saying(
        r"^(?P<what>\w+) does not accept dtypes? key<\w+>",
        "{what} was given a random key, which is no number",
        "pass the key to a function of jax.random; jax.random.fold_in(key, n) makes another",
    ),
    Saying(
        r"^(?P<what>[\w.]+) requires ndarray or scalar arguments, got <class '(?P<type>[\w.]+)'>",
        "functions of JAX take arrays and numbers, and {what} got a {type}",
        "convert it: jax.numpy.asarray(x); for nested data use jax.tree.map",
    ),
    Saying(
        r"type <class '(?P<type>[\w.]+)'> is not a valid JAX type",
        "JAX computes with arrays and numbers, and got a {type}",
        "convert it to an array, or keep it outside of the transformed function",
    ),
    Saying(
        r"The problematic value is of type <class '(?P<type>[\w.]+)'> and was passed to the "
        r"function at path (?P<path>\S+?)\.\s",
        "a jitted function takes arrays and numbers, and its argument {path} is of type {type}",
        "name it in static_argnames= of jit, if it is a setting, or convert it to an array",
    ),
    Saying(
        r"^Value (?P<value>.+) with dtype (?P<type>\S+) is not a valid JAX array type",
        "JAX has arrays of numbers alone, and {value} is of type {type}",
        "keep it in a list, or number it",
    ),
    Saying(
        r"^cond_fun must return a boolean scalar, but got output type\(s\) (?P<what>.+?)\.?$",
        "the condition of jax.lax.while_loop must be one truth value, and is {what}",
        "compare in it: return x > 0",
    ),
    Saying(
        r"^differentiating with respect to argnums=(?P<argument>\S+) requires at least "
        r"(?P<wanted>\d+) positional arguments",
        "argnums={argument} counts from 0 and needs {wanted} arguments, and the call gives fewer",
        "correct argnums, or pass the arguments by position",
    ),
    Saying(
        r"expected function with aux output to return a two-element tuple",
        "with has_aux=True the function must return (value, something else)",
        "return two things, or leave has_aux out",
    ),
)

_STRUCTURES = (
    Saying(
        r"^pytree structure error: (?P<how>different lengths) of (?P<type>\w+) at key path\s+"
        r"(?P<path>.+?)\s+At that key path, .*?of length (?P<a>\d+), .*of length (?P<b>\d+)",
        "the structures differ: at {path} one {type} has {a} entries, the other {b}",
        "give both the same structure; jax.tree.structure(x) shows it",
    ),
    Saying(
        r"^pytree structure error: (?P<how>.+?) at key path\s+(?P<path>.+?)\s+At that key path",
        "the structures differ: {how} at {path}",
        "give both the same structure; jax.tree.structure(x) shows it",
    ),
    Saying(
        r"^(?P<what>too many|not enough) values to unpack \(expected (?P<count>\d+)",
        "there are {what} values for {count} names",
        "look at its len() or .shape: an array is unpacked along its first axis",
    ),
)

_ERRORS = {"TypeError", "ValueError", "IndexError"}


def mapped_axes(failure: Failure, around: Circumstances) -> Finding | None:
    """`vmap` over axes of different sizes."""
    del around
    if not failure.message.startswith("vmap got inconsistent sizes"):
        return None
    found = re.findall(
        r"had size (\d+).*?(axis -?\d+ of (?:argument )?\S+)", failure.message, re.DOTALL
    )
    sizes = ", ".join(f"{size} ({axis})" for size, axis in found[:4]) or "see above"
    return finding(
        "shape",
        f"vmap goes along one axis of each argument, and these have different sizes: {sizes}",
        "name the axes with in_axes=, None for an argument that is the same for all",
    )


def shape(failure: Failure, around: Circumstances) -> Finding | None:
    """Shapes that do not fit."""
    del around
    known = failure.type in _ERRORS and not through(failure, "pmap.py")
    return match_saying("shape", _SHAPES, failure) if known else None


def dtype(failure: Failure, around: Circumstances) -> Finding | None:
    """Types of elements that do not fit, or that are none of JAX."""
    del around
    return match_saying("dtype", _TYPES, failure) if failure.type in _ERRORS else None


def structure(failure: Failure, around: Circumstances) -> Finding | None:
    """Trees, and tuples, that do not fit."""
    del around
    return match_saying(None, _STRUCTURES, failure) if failure.type in _ERRORS else None
