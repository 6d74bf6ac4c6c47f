"""Where values flow in a unit: its syntax tree as lists of plain steps, one list for each body.

Body 0 is what runs with the unit, the others are those of its functions, lambdas and generators. A
step is ``[kind, result, ...]``; what it works on are variables as `scopes` writes them, or
temporaries such as ``:7``. The steps tell nothing of the order in a body or of what is certain.

======  ==============================  =======================================================
flow    result, sources                 the result is perhaps each of the sources
make    result, parts                   a new container with these parts
part    result, whole                   something reached through the whole
op      result, operands                an operator, a test, a conversion to text
iter    result, whole                   all that the whole yields
store   object, values                  a change of the object, in which the values then are
attr    result, object, name            an attribute
call    result, callee, arguments       ``name=x`` is a keyword's, ``*x`` all of something
method  result, object, name, arguments  a call of an attribute
fn      result, body, defaults          a function
class   result, bases, members, marked  a class; members are pairs of name and variable, and the
                                        marked ones have decorators
import  result, module                  a module, or what is in it
opaque  reason                          anything may happen to the names of the module
======  ==============================  =======================================================

Where the block of a ``with`` may undo what a call has set, the step's kind is ``scoped``.
"""

import ast
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from .scopes import Scope, imported, parameters

Values = tuple[str, ...]
_Comprehension = ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp
_LAZY_ANNOTATIONS = sys.version_info >= (3, 14)
_WITH_TEXT = {"getattr", "setattr", "hasattr", "delattr"}


class Body:
    """The steps of one body, with the module's names that it reads, binds, deletes and changes."""

    def __init__(self, number: int, names: Sequence[str] = (), *, generator: bool = False) -> None:
        self.number = number
        self.parameters = [*names]
        self.scopes: list[int] = []
        self.generator = generator
        self.steps: list[list[Any]] = []
        self.reads: set[str] = set()
        self.binds: set[str] = set()
        self.deletes: set[str] = set()
        self.certain: set[str] = set()

    def plain(self) -> dict[str, Any]:
        """The body as JSON."""
        return {
            "parameters": self.parameters,
            "scopes": self.scopes,
            "generator": self.generator,
            "steps": self.steps,
            "reads": sorted(self.reads),
        }


class Tracer:
    """Goes through a unit once, in the order of evaluation."""

    def __init__(self, *, future: bool) -> None:
        self._future = future
        self._scopes = 0
        self._temporaries = 0
        self._exposed = True
        self.bodies = [Body(0)]
        self._body = self.bodies[0]
        self._scope = Scope(0, "module", None)
        self._header = False

    # Names and steps

    def _step(self, *step: object) -> None:
        self._body.steps.append([*step])

    def _new(self, kind: str, *rest: object) -> Values:
        self._temporaries += 1
        result = f":{self._temporaries}"
        self._step(kind, result, *rest)
        return (result,)

    def _read(self, name: str) -> Values:
        found = self._scope.read(name)
        for variable in found:
            if ":" not in variable and variable not in self._body.certain:
                self._body.reads.add(variable)
        return tuple(found)

    def _bind(self, name: str, values: Values, scope: Scope | None = None) -> None:
        variable = (scope or self._scope).written(name)
        self._step("flow", variable, [*values])
        if ":" not in variable:
            self._body.binds.add(variable)
            if self._body.number == 0:
                self._body.certain.add(variable)

    def _inner(self, kind: str, owner: str = "") -> Scope:
        self._scopes += 1
        if kind != "function":
            self._body.scopes.append(self._scopes)
        return Scope(self._scopes, kind, self._scope, owner)

    # Statements

    def block(self, statements: Iterable[ast.stmt]) -> None:
        """Go through statements that run one after another."""
        for statement in statements:
            self.statement(statement)

    def _perhaps(self, statements: Iterable[ast.stmt]) -> None:
        """Go through a block after which nothing is certain."""
        before = set(self._body.certain)
        self.block(statements)
        self._body.certain = before

    def statement(self, node: ast.AST) -> None:
        """Go through one statement, of whatever kind this Python knows."""
        handler = getattr(self, f"_s_{type(node).__name__.lower()}", None)
        if handler is not None:
            handler(node)
        else:
            self._others(node)

    def _others(self, node: ast.AST) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.expr):
                self._step("op", "", [*self.value(child)])
            elif isinstance(child, ast.AST):
                self.statement(child)

    def _s_global(self, node: ast.Global) -> None:
        del node

    _s_nonlocal = _s_pass = _s_break = _s_continue = _s_global

    def _s_expr(self, node: ast.Expr) -> None:
        self.value(node.value)

    def _s_assign(self, node: ast.Assign) -> None:
        first = node.targets[0]
        if (
            isinstance(node.value, ast.Tuple)
            and isinstance(first, ast.Tuple)
            and len(node.targets) == 1
            and len(first.elts) == len(node.value.elts)
            and not any(isinstance(it, ast.Starred) for it in [*first.elts, *node.value.elts])
        ):
            found = [self.value(it) for it in node.value.elts]
            for target, values in zip(first.elts, found, strict=True):
                self._target(target, values)
            return
        values = self.value(node.value)
        for target in node.targets:
            self._target(target, values)

    def _s_annassign(self, node: ast.AnnAssign) -> None:
        values = self.value(node.value) if node.value else ()
        if self._scope.kind in {"module", "class"}:
            self._annotation(node.annotation)
        if node.value is not None or not isinstance(node.target, ast.Name):
            self._target(node.target, values)

    def _annotation(self, node: ast.expr | None) -> None:
        if node is None or self._future:
            return
        if _LAZY_ANNOTATIONS:
            self._deferred([node])
        else:
            self._step("op", "", [*self.value(node)])

    def _s_augassign(self, node: ast.AugAssign) -> None:
        values = self.value(node.value)
        target = node.target
        if isinstance(target, ast.Name):
            old = self._read(target.id)
            for variable in old:
                self._step("store", variable, [*values])
            self._bind(target.id, (*old, *self._new("op", [*old, *values])))
            return
        whole = self.value(target.value)
        key = self.value(target.slice) if isinstance(target, ast.Subscript) else ()
        for variable in (*self._new("part", [*whole, *key]), *whole):
            self._step("store", variable, [*values])

    def _target(self, node: ast.expr, values: Values) -> None:
        match node:
            case ast.Name():
                self._bind(node.id, values)
            case ast.Tuple() | ast.List():
                parts = self._new("iter", [*values])
                for element in node.elts:
                    self._target(element, parts)
            case ast.Starred():
                self._target(node.value, self._new("make", [*values]))
            case ast.Attribute() | ast.Subscript():
                key = self.value(node.slice) if isinstance(node, ast.Subscript) else ()
                for variable in self.value(node.value):
                    self._step("store", variable, [*values, *key])

    def _s_delete(self, node: ast.Delete) -> None:
        left = [*node.targets]
        while left:
            target = left.pop(0)
            if isinstance(target, ast.Name):
                variable = self._scope.written(target.id)
                if ":" not in variable:
                    self._step("op", "", [*self._read(target.id)])
                    self._body.deletes.add(variable)
                    self._body.certain.discard(variable)
            elif isinstance(target, (ast.Tuple, ast.List)):
                left += target.elts
            else:
                self._target(target, ())

    def _s_for(self, node: ast.For | ast.AsyncFor) -> None:
        whole = self.value(node.iter)
        before = set(self._body.certain)
        self._target(node.target, self._new("iter", [*whole]))
        self.block(node.body)
        self._body.certain = before
        self._perhaps(node.orelse)

    _s_asyncfor = _s_for

    def _s_while(self, node: ast.While) -> None:
        self._step("op", "", [*self.value(node.test)])
        self._perhaps(node.body)
        self._perhaps(node.orelse)

    def _s_if(self, node: ast.If) -> None:
        self._step("op", "", [*self.value(node.test)])
        self._perhaps(node.body)
        self._perhaps(node.orelse)

    def _s_with(self, node: ast.With | ast.AsyncWith) -> None:
        before = set(self._body.certain)
        for item in node.items:
            self._header = True
            context = self.value(item.context_expr)
            self._header = False
            entered = self._new("method", [*context], "__enter__", [])
            self._new("method", [*context], "__exit__", [])
            if item.optional_vars is not None:
                self._target(item.optional_vars, (*context, *entered))
        self.block(node.body)
        self._body.certain = before

    _s_asyncwith = _s_with

    def _s_try(self, node: ast.Try | ast.TryStar) -> None:
        before = set(self._body.certain)
        self.block(node.body)
        self.block(node.orelse)
        self._body.certain = set(before)
        for handler in node.handlers:
            self._s_excepthandler(handler)
        self._body.certain = before
        self._perhaps(node.finalbody)

    _s_trystar = _s_try

    def _s_excepthandler(self, node: ast.ExceptHandler) -> None:
        before = set(self._body.certain)
        if node.type is not None:
            self._step("op", "", [*self.value(node.type)])
        if node.name is not None:
            self._bind(node.name, ())
            self._s_delete(ast.Delete([ast.Name(node.name, ast.Del())]))
            self._body.certain.add(self._scope.written(node.name))
        self.block(node.body)
        self._body.certain = before

    def _s_match(self, node: ast.Match) -> None:
        subject = self.value(node.subject)
        reached = (*subject, *self._new("part", [*subject]), *self._new("iter", [*subject]))
        for case in node.cases:
            before = set(self._body.certain)
            self._pattern(case.pattern, reached)
            if case.guard is not None:
                self._step("op", "", [*self.value(case.guard)])
            self.block(case.body)
            self._body.certain = before

    def _pattern(self, node: ast.AST, values: Values) -> None:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.pattern):
                self._pattern(child, values)
            elif isinstance(child, ast.expr):
                self._step("op", "", [*self.value(child), *values])
        name = getattr(node, "name", None) or getattr(node, "rest", None)
        if isinstance(name, str):
            self._bind(name, values)

    def _s_return(self, node: ast.Return) -> None:
        values = self.value(node.value) if node.value else ()
        self._step("flow", f"return:{self._body.number}", [*values])

    def _s_import(self, node: ast.Import) -> None:
        for alias in node.names:
            top = alias.name if alias.asname else imported(alias)
            if alias.name == "__main__":
                self._step("opaque", "import of __main__")
            self._bind(imported(alias), self._new("import", top, alias.name))
            if not alias.asname and "." in alias.name:  # it may add to a module that was there
                self._body.certain.discard(top)

    def _s_importfrom(self, node: ast.ImportFrom) -> None:
        module = "." * node.level + (node.module or "")
        for alias in node.names:
            if alias.name == "*":
                self._step("opaque", f"import of everything in {module}")
            elif module == "__main__":
                self._step("opaque", "import of __main__")
            else:
                whole = self._new("import", f"{module}.{alias.name}", module)
                self._bind(alias.asname or alias.name, whole)

    def _s_typealias(self, node: Any) -> None:  # noqa: ANN401 - unknown to Python 3.11
        outer = self._typed(node)
        self._deferred([node.value])
        self._scope = outer
        self._bind(node.name.id, ())

    # Functions and classes

    def _s_functiondef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        decorators = [self.value(it) for it in node.decorator_list]
        defaults = self._defaults(node.args)
        outer = self._typed(node)
        for it in parameters(node.args):
            self._annotation(it.annotation)
        self._annotation(node.returns)
        result = self._function(node.args, node.body, defaults, generator=_yields(node))
        self._scope = outer
        self._decorated(node.name, decorators, result)

    _s_asyncfunctiondef = _s_functiondef

    def _decorated(self, name: str, decorators: list[Values], result: Values) -> None:
        for decorator in reversed(decorators):
            result = self._new("call", [*decorator], [["", *result]])
        self._bind(name, result)

    def _typed(self, node: ast.AST) -> Scope:
        """Enter the scope of a definition's type parameters, if it has any. Returns the outer."""
        outer = self._scope
        found = getattr(node, "type_params", [])
        if found:
            self._scope = self._inner("type")
            self._scope.declare([], [it.name for it in found])
            bounds = [getattr(it, at, None) for it in found for at in ("bound", "default_value")]
            self._deferred([it for it in bounds if it is not None])
        return outer

    def _deferred(self, nodes: Sequence[ast.expr]) -> None:
        if nodes:
            arguments = ast.arguments([], [], None, [], [], None, [])
            self._function(arguments, [ast.Expr(it) for it in nodes], ())

    def _defaults(self, arguments: ast.arguments) -> Values:
        nodes = [*arguments.defaults, *filter(None, arguments.kw_defaults)]
        return tuple(value for node in nodes for value in self.value(node))

    def _function(
        self,
        arguments: ast.arguments,
        statements: Sequence[ast.stmt],
        defaults: Values,
        *,
        generator: bool = False,
    ) -> Values:
        scope = self._inner("function")
        names = [it.arg for it in parameters(arguments)]
        scope.declare(statements, names)
        variables = [f"{scope.mangled(name)}:{scope.number}" for name in names]
        stars = {it.arg for it in (arguments.vararg, arguments.kwarg) if it is not None}
        shown = [
            f"*{it}" if name in stars else it for it, name in zip(variables, names, strict=True)
        ]
        body = Body(len(self.bodies), shown, generator=generator)
        outside = self._scope, self._body
        self.bodies.append(body)
        self._scope, self._body = scope, body
        body.scopes.append(scope.number)
        self.block(statements)
        self._scope, self._body = outside
        return self._new("fn", body.number, [*defaults])

    def _s_classdef(self, node: ast.ClassDef) -> None:
        decorators = [self.value(it) for it in node.decorator_list]
        outer = self._typed(node)
        bases = [*node.bases, *(it.value for it in node.keywords)]
        found = [value for it in bases for value in self.value(it)]
        self._scope = self._inner("class", node.name.lstrip("_"))
        scope = self._scope
        scope.declare(node.body)
        certain = set(self._body.certain)
        self.block(node.body)
        self._body.certain = certain
        members = [[name, f"{name}:{scope.number}"] for name in sorted(scope.bound)]
        marked = [it.name for it in node.body if getattr(it, "decorator_list", [])]  # type: ignore[attr-defined]
        self._scope = outer
        self._decorated(node.name, decorators, self._new("class", found, members, marked))

    # Expressions

    def value(self, node: ast.AST) -> Values:
        """Go through an expression. Returns the variables that its value may be."""
        handler = getattr(self, f"_v_{type(node).__name__.lower()}", None)
        if handler is not None:
            found: Values = handler(node)
            return found
        operands = tuple(
            value
            for child in ast.iter_child_nodes(node)
            if not isinstance(child, ast.expr_context)
            for value in self.value(child)
        )
        return self._new("op", [*operands]) if operands else ()

    def _v_constant(self, node: ast.Constant) -> Values:
        del node
        return ()

    def _v_name(self, node: ast.Name) -> Values:
        return self._read(node.id)

    def _v_binop(self, node: ast.BinOp) -> Values:
        operands: Values = ()
        inner: ast.expr = node
        while isinstance(inner, ast.BinOp):  # a long sum is deep
            operands = (*self.value(inner.right), *operands)
            inner = inner.left
        operands = (*self.value(inner), *operands)
        return self._new("op", [*operands]) if operands else ()

    def _v_namedexpr(self, node: ast.NamedExpr) -> Values:
        values = self.value(node.value)
        certain = set(self._body.certain)
        self._bind(node.target.id, values, self._scope.binder())
        self._body.certain = certain  # it may stand behind an `and`
        return (*values, self._scope.binder().written(node.target.id))

    def _v_ifexp(self, node: ast.IfExp) -> Values:
        self._step("op", "", [*self.value(node.test)])
        return (*self.value(node.body), *self.value(node.orelse))

    def _v_boolop(self, node: ast.BoolOp) -> Values:
        values = tuple(value for it in node.values for value in self.value(it))
        self._step("op", "", [*values])
        return values

    def _v_attribute(self, node: ast.Attribute) -> Values:
        whole = self.value(node.value)
        return self._new("attr", [*whole], node.attr) if whole else ()

    def _v_subscript(self, node: ast.Subscript) -> Values:
        whole = self.value(node.value)
        key = self.value(node.slice)
        if key:
            self._step("op", "", [*key])
        return self._new("part", [*whole]) if whole else ()

    def _v_starred(self, node: ast.Starred) -> Values:
        return self._new("iter", [*self.value(node.value)])

    def _parts(self, nodes: Iterable[ast.AST | None]) -> Values:
        return tuple(value for it in nodes if it is not None for value in self.value(it))

    def _v_tuple(self, node: ast.Tuple | ast.List | ast.Set) -> Values:
        return self._new("make", [*self._parts(node.elts)])

    _v_list = _v_set = _v_tuple

    def _v_dict(self, node: ast.Dict) -> Values:
        parts = self._parts(node.keys)
        for key, value in zip(node.keys, node.values, strict=True):
            found = self.value(value)
            parts += found if key is not None else self._new("iter", [*found])
        return self._new("make", [*parts])

    def _v_lambda(self, node: ast.Lambda) -> Values:
        body = ast.Return(node.body)
        return self._function(node.args, [body], self._defaults(node.args), generator=_yields(body))

    def _v_listcomp(self, node: ast.ListComp | ast.SetComp | ast.DictComp) -> Values:
        first = self._new("iter", [*self.value(node.generators[0].iter)])
        outer, certain = self._scope, set(self._body.certain)
        self._scope = self._inner("comprehension")
        self._scope.declare([it.target for it in node.generators])
        result = self._comprehended(node, first)
        self._scope, self._body.certain = outer, certain
        return self._new("make", [*result])

    _v_setcomp = _v_dictcomp = _v_listcomp

    def _comprehended(self, node: _Comprehension, first: Values) -> Values:
        for index, generator in enumerate(node.generators):
            values = first if index == 0 else self._new("iter", [*self.value(generator.iter)])
            self._target(generator.target, values)
            for test in generator.ifs:
                self._step("op", "", [*self.value(test)])
        if isinstance(node, ast.DictComp):
            return self._parts([node.key, node.value])
        return self.value(node.elt)

    def _v_generatorexp(self, node: ast.GeneratorExp) -> Values:
        """It is a generator that is called at once; what it reads, it reads now and later."""
        first = self.value(node.generators[0].iter)
        outside = self._scope, self._body
        scope = self._inner("comprehension")
        scope.declare([it.target for it in node.generators])
        given = f"iter:{scope.number}"
        body = Body(len(self.bodies), [given], generator=True)
        outside[1].scopes.remove(scope.number)
        body.scopes.append(scope.number)
        self.bodies.append(body)
        self._scope, self._body = scope, body
        result = self._comprehended(node, self._new("iter", [given]))
        self._step("flow", f"return:{body.number}", [*result])
        self._scope, self._body = outside
        self._body.reads |= body.reads - self._body.certain
        self._body.binds |= body.binds
        function = self._new("fn", body.number, [])
        return self._new("call", [*function], [["", *first]])

    def _v_yield(self, node: ast.Yield) -> Values:
        values = self.value(node.value) if node.value else ()
        self._step("flow", f"return:{self._body.number}", [*values])
        return tuple(it.lstrip("*") for it in self._body.parameters)

    def _v_yieldfrom(self, node: ast.YieldFrom) -> Values:
        values = self._new("iter", [*self.value(node.value)])
        self._step("flow", f"return:{self._body.number}", [*values])
        return values

    def _v_await(self, node: ast.Await) -> Values:
        return self._new("iter", [*self.value(node.value)])

    def _v_call(self, node: ast.Call) -> Values:
        scoped, self._header = self._header, False
        function = node.func
        if isinstance(function, ast.Attribute):
            whole = self.value(function.value)
            kind, callee = "method", [[*whole], function.attr]
        else:
            kind, callee = "call", [[*self.value(function)]]
        named = function.id if isinstance(function, ast.Name) else ""
        if named == "super" and self._body.parameters:
            return (self._body.parameters[0].lstrip("*"),)
        if scoped:
            kind = "scoped-" + kind
        return self._new(kind, *callee, self._arguments(node, texts=named in _WITH_TEXT))

    def _arguments(self, node: ast.Call, *, texts: bool) -> list[Any]:
        """The arguments, each a list of variables, with a mark where it has no place of its own."""
        found: list[Any] = []
        for it in node.args:
            if isinstance(it, ast.Starred):
                found.append(["*", *self.value(it)])
            elif texts and isinstance(it, ast.Constant) and isinstance(it.value, str):
                found.append(["'" + it.value])
            else:
                found.append(["", *self.value(it)])
        for keyword in node.keywords:
            values = self.value(keyword.value)
            mark = f"{keyword.arg}=" if keyword.arg else "*"
            found.append([mark, *values])
        return found


def _yields(function: ast.AST) -> bool:
    """Whether a function gives a generator, or a coroutine, in place of running when called."""
    left = [*ast.iter_child_nodes(function)]
    while left:
        node = left.pop()
        if isinstance(node, (ast.Yield, ast.YieldFrom, ast.Await)):
            return True
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)):
            left += ast.iter_child_nodes(node)
    return isinstance(function, ast.AsyncFunctionDef)
