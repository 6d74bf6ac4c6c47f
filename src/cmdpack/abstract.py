"""What each unit of an example needs of those before it, found by running them abstractly.

Units are taken in their order. The steps of a unit, and of the functions that it may call, are
repeated until nothing new is found; so they tell what may happen, in whatever order and how often.
"""

import builtins
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from cmdpack.callables import (
    COMPILING,
    READING,
    STORING,
    Kind,
    configures,
    importing_is_quiet,
    kind_of,
)
from cmdpack.codefacts import UnitFacts
from cmdpack.sites import Frame, Site, Sites, closure
from cmdpack.sites import Kind as SiteKind

Arguments = list[tuple[str, Sites]]
Place = tuple[int, ...]
"""Where in the run of a unit something is made: what it is for is told apart by identity."""

_MAKING = frozenset({"__init__", "__new__", "__post_init__", "__init_subclass__", "__set_name__"})
_REVEALING = frozenset(
    {"__globals__", "__dict__", "__builtins__", "f_globals", "f_locals", "f_back"}
)
_REGISTERED = "tree_"
_OF_ARRAYS = ("jax", "numpy", "math")
_DONATES = "donates"
_LONGEST = 8
"""Parts of a full name; what is longer comes from following attributes in circles."""


class Needs(NamedTuple):
    """What a unit needs of those before it, as bits by name, and what must be said of it.

    `bound` holds who bound each name that it reads, `late` those that its functions read when they
    are called, `changed` who changed its value; `traced` is who ran functions that JAX has compiled
    since, for a value that is no longer the same.
    """

    bound: dict[str, int]
    late: dict[str, int]
    changed: dict[str, int]
    traced: int
    process: str | None
    opaque: str | None


class _Entry(NamedTuple):
    units: int
    sites: Sites


class Program:
    """The module's names and all sites, while unit after unit is run."""

    def __init__(self) -> None:
        self.names: dict[str, _Entry] = {}
        self.modules: dict[str, Site] = {}
        self.streams: dict[str, Site] = {}
        self.registry: Sites = set()
        self.handed: Sites = set()
        self.classes = False
        self.traces: dict[Site, list[tuple[int, int]]] = {}

    def module(self, path: str) -> Site:
        """The one site of a module, or of what is in it."""
        return self.modules.setdefault(path, Site("module", path))

    def initial(self, name: str) -> Sites:
        """What a name is that no unit has bound: of Python itself, or nothing."""
        known = hasattr(builtins, name) and not name.startswith("__")
        opaque = name in {"__builtins__", "__loader__", "__spec__", "__import__"}
        return {self.module(f"builtins.{name}")} if known or opaque else set()


def needs(units: Sequence[UnitFacts]) -> list[Needs]:
    """The needs of each unit of one command, in the order in which they run."""
    program = Program()
    return [_Run(program, index, unit).needs() for index, unit in enumerate(units)]


class _Run:
    """One unit that runs."""

    def __init__(self, program: Program, index: int, unit: UnitFacts) -> None:
        self._program = program
        self._index = index
        self._unit = unit
        self._local: dict[str, Sites] = {}
        self._bound: dict[str, Sites] = {}
        self._made: dict[tuple[Place, str], Site] = {}
        self._frames: dict[Site | None, Frame] = {}
        self._changed: Sites = set()
        self._streams: set[str] = set()
        self._process: str | None = None
        self._opaque: str | None = None
        self._grew = False
        self._quiet = False
        self._reached: dict[tuple[frozenset[Site], bool], Sites] = {}

    def needs(self) -> Needs:
        """Run the unit, enter what it leaves behind, and tell what it needed."""
        if self._unit.bodies:
            self._frames[None] = Frame(self._unit, self._unit.bodies[0])
        self._grew = bool(self._frames)
        while self._grew:
            self._grew = False
            for frame in [*self._frames.values()]:
                self._quiet = frame.quiet
                for step in frame.body.steps:
                    self._step(frame, step)
        found = self._found()
        self._leave()
        return found

    def _found(self) -> Needs:
        names = self._program.names
        read = {it for frame in self._frames.values() if not frame.quiet for it in frame.used}
        bound = {name: names[name].units for name in read if name in names}
        changed = {name: _changes(self._local[name]) for name in read}
        for path in self._streams:
            changed[path] = self._program.streams[path].changed
        traced = 0
        for site, frame in self._frames.items():
            if site is not None and frame.traced:
                traced |= self._retraced(site, frame, bound, changed)
        inner = {name for body in self._unit.bodies[1:] for name in body.reads}
        late = {name: names[name].units for name in inner if name in names}
        return Needs(bound, late, changed, traced, self._process, self._opaque)

    def _retraced(
        self, site: Site, frame: Frame, bound: dict[str, int], changed: dict[str, int]
    ) -> int:
        """The units in which a function was traced while what it reads was not as it is now."""
        state = _changes([site])
        for name in frame.used:
            state |= bound.get(name, 0) | changed.get(name, 0)
        before = self._program.traces.setdefault(site, [])
        differing = 0
        for index, was in before:
            differing |= (was != state) << index
        before.append((self._index, state))
        return differing

    def _leave(self) -> None:
        bit = 1 << self._index
        for site in self._changed:
            site.changed |= bit
        names = self._program.names
        for name in {*self._bound, *self._unit.binds, *self._unit.deletes}:
            sites = self._bound.get(name, set())
            if name in self._unit.deletes:
                sites = sites | self._program.initial(name)
            if name in self._unit.certain:
                names[name] = _Entry(bit, sites)
            else:
                old = names.get(name) or _Entry(0, self._program.initial(name))
                names[name] = _Entry(old.units | bit, old.sites | sites)

    # Variables

    def _get(self, frame: Frame, variables: Iterable[str]) -> Sites:
        found: Sites = set()
        for variable in variables:
            found |= self._of(frame, variable)
        return found

    def _of(self, frame: Frame, variable: str) -> Sites:
        if ":" in variable:
            return frame.owner(variable).variables.setdefault(variable, set())
        frame.used.add(variable)
        return self._name(variable)

    def _name(self, name: str) -> Sites:
        if name not in self._local:
            entry = self._program.names.get(name)
            self._local[name] = set(entry.sites) if entry else self._program.initial(name)
        return self._local[name]

    def _add(self, frame: Frame, variable: str, sites: Sites) -> None:
        if not variable:
            return
        if ":" not in variable:
            self._grow(self._bound.setdefault(variable, set()), sites)
            self._grow(self._name(variable), sites)
            return
        owner = frame.owner(variable)
        if owner is not frame:
            self._change({owner.cell})
        self._grow(owner.variables.setdefault(variable, set()), sites)

    def _grow(self, sites: Sites, more: Sites) -> None:
        if not more <= sites:
            sites |= more
            self._grew = True
            self._reached.clear()

    def _closure(self, sites: Iterable[Site], *, classes: bool = False) -> Sites:
        """The closure of these sites, kept until something grows. Not to be changed."""
        key = frozenset(sites), classes
        found = self._reached.get(key)
        if found is None:
            found = self._reached[key] = closure(key[0], classes=classes)
        return found

    def _said(self, reason: str) -> str | None:
        """What must be said of the unit, if it is the unit that does it."""
        return None if self._quiet else reason

    def _change(self, sites: Iterable[Site]) -> None:
        self._grow(self._changed, {site for site in sites if site.kind != "module"})

    def _make(self, place: Place, kind: SiteKind, contents: Iterable[Site] = ()) -> Site:
        site = self._made.get((place, kind))
        if site is None:
            site = self._made[place, kind] = Site(kind)
            self._grew = True
        self._grow(site.contents, {it for it in contents if it is not site})
        return site

    # Steps

    def _step(self, frame: Frame, step: tuple[Any, ...]) -> None:
        getattr(self, "_s_" + step[0].replace("-", "_"))(frame, step, *step[1:])

    def _s_flow(self, frame: Frame, _: object, result: str, sources: list[str]) -> None:
        self._add(frame, result, self._get(frame, sources))

    def _s_make(self, frame: Frame, step: object, result: str, parts: list[str]) -> None:
        site = self._make((id(frame), id(step)), "data", self._get(frame, parts))
        self._add(frame, result, {site})

    def _s_part(self, frame: Frame, _: object, result: str, whole: list[str]) -> None:
        sites = self._get(frame, whole)
        self._implicit(sites)
        self._add(frame, result, self._closure(sites))

    def _s_op(self, frame: Frame, step: object, result: str, operands: list[str]) -> None:
        sites = self._get(frame, operands)
        self._implicit(sites)
        self._consumed({site for site in sites if site.kind == "iterator"})  # `in` asks for values
        place = id(frame), id(step)
        held = {it for it in sites if it.kind not in {"module", "function", "class", "array"}}
        if result and held:
            self._add(frame, result, {self._make(place, "data", held)})
        elif result and any(site.kind == "array" for site in sites):
            self._add(frame, result, {self._make(place, "array")})

    def _s_iter(self, frame: Frame, _: object, result: str, whole: list[str]) -> None:
        self._add(frame, result, self._consumed(self._get(frame, whole)))

    def _consumed(self, sites: Sites) -> Sites:
        self._implicit(sites)
        reached = self._closure(sites)
        streams = {site for site in reached if site.kind in {"iterator", "external"}}
        if streams:
            self._change(streams)
            self._call_all(self._closure(streams), reached)
            reached = self._closure(sites)
        return reached

    def _s_store(self, frame: Frame, _: object, whole: str, values: list[str]) -> None:
        new = self._get(frame, values)
        for site in [*self._of(frame, whole)]:
            if site.kind != "module":
                self._grow(site.contents, new - {site})
            elif configures(site.path):
                self._process = self._process or self._said(f"changes the process: {site.path}")
            else:
                self._opaque = self._opaque or self._said(f"assignment in {site.path}")
        self._change(self._of(frame, whole))
        self._implicit(set(self._of(frame, whole)))

    def _s_attr(self, frame: Frame, step: object, result: str, whole: list[str], name: str) -> None:
        sites = self._get(frame, whole)
        self._add(frame, result, self._attribute((id(frame), id(step)), sites, name))

    def _attribute(self, key: Place, sites: Sites, name: str) -> Sites:
        if name in _REVEALING and any(it.kind in {"module", "function"} for it in sites):
            self._opaque = self._opaque or self._said(f"use of {name}")
        found = {
            self._program.module(f"{it.path}.{name}")
            for it in sites
            if it.kind == "module" and it.path.count(".") < _LONGEST
        }
        for site in found:
            if site.path == "sys.modules":
                self._opaque = self._opaque or self._said("use of sys.modules")
        others = {site for site in sites if site.kind != "module"}
        if not others:
            return found
        members = self._members(others, name)
        if members:
            self._implicit(others, name)
            found.add(self._make(key, "data", others | members))
        elif name == "__class__":
            found |= self._closure(others, classes=True)
        return found | self._closure(others)

    def _s_fn(self, frame: Frame, step: object, result: str, number: int, rest: list[str]) -> None:
        defaults = self._get(frame, rest)
        site = self._make((id(frame), id(step)), "function", {frame.cell, *defaults})
        if site.facts is None:
            site.facts, site.frame, site.body = frame.facts, frame, frame.facts.bodies[number]
        self._grow(site.defaults, defaults)
        self._add(frame, result, {site})

    def _s_class(  # noqa: PLR0913, PLR0917 - as in the step
        self,
        frame: Frame,
        step: object,
        result: str,
        bases: list[str],
        members: list[list[str]],
        marked: list[str],
    ) -> None:
        above = self._get(frame, bases)
        site = self._make((id(frame), id(step)), "class", above)
        site.marked = frozenset(marked)
        self._program.classes = True
        self._implicit(above)
        self._call_all({it for name in _MAKING for it in self._members(above, name)}, {site})
        for name, variable in members:
            sites = self._of(frame, variable)
            self._grow(site.members.setdefault(name, set()), sites)
            self._grow(site.contents, sites - {site})
        self._add(frame, result, {site})

    def _s_import(self, frame: Frame, _: object, result: str, path: str, module: str) -> None:
        if module == "__future__":
            self._process = "holds for all code: __future__"
        elif not importing_is_quiet(module):
            self._process = self._process or self._said(f"imports {module}")
        self._add(frame, result, {self._program.module(path)})

    def _s_opaque(self, _frame: Frame, _: object, reason: str) -> None:
        self._opaque = self._opaque or self._said(reason)

    # Calls

    def _s_call(
        self, frame: Frame, step: object, result: str, callee: list[str], given: list[list[str]]
    ) -> None:
        arguments = self._arguments(frame, given)
        for site in self._get(frame, callee):
            self._add(frame, result, self._called(frame, (id(frame), id(step)), site, arguments))

    def _s_scoped_call(
        self, frame: Frame, step: object, result: str, callee: list[str], given: list[list[str]]
    ) -> None:
        arguments = self._arguments(frame, given)
        for site in self._get(frame, callee):
            self._add(
                frame,
                result,
                self._called(frame, (id(frame), id(step)), site, arguments, scoped=True),
            )

    def _s_method(  # noqa: PLR0913, PLR0917 - as in the step
        self,
        frame: Frame,
        step: object,
        result: str,
        whole: list[str],
        name: str,
        given: list[list[str]],
        *,
        scoped: bool = False,
    ) -> None:
        sites = self._get(frame, whole)
        arguments = self._arguments(frame, given)
        for site in sites:
            if site.kind == "module":
                attribute = self._program.module(f"{site.path}.{name}")
                found = self._called(
                    frame, (id(frame), id(step)), attribute, arguments, scoped=scoped
                )
            else:
                found = self._method(frame, (id(frame), id(step)), site, name, arguments)
            self._add(frame, result, found)

    def _s_scoped_method(self, *rest: Any) -> None:  # noqa: ANN401 - as in the step
        self._s_method(*rest, scoped=True)

    def _arguments(self, frame: Frame, given: list[list[str]]) -> Arguments:
        found = []
        for mark, *variables in given:
            sites = self._get(frame, variables)
            found.append((mark, self._consumed(sites) if mark == "*" else sites))
        return found

    def _called(
        self,
        frame: Frame,
        place: Place,
        site: Site,
        arguments: Arguments,
        *,
        scoped: bool = False,
    ) -> Sites:
        """Call one site. Returns what may come back."""
        everything = _all(arguments)
        if site.kind == "module":
            return self._library(place, site.path, arguments, scoped=scoped)
        if site.kind == "function":
            return self._call(site, arguments, traced=frame.traced)
        if site.kind == "class":
            return self._instance(frame, place, site, arguments)
        if site.kind == "external":
            return self._unknown(
                place, "calls something of an unknown library", everything | {site}
            )
        return self._held(frame, place, site, arguments)

    def _held(self, frame: Frame, place: Place, site: Site, arguments: Arguments) -> Sites:
        """Call an object: an instance, a partial, what JAX has made of a function."""
        given = self._closure(_all(arguments))
        reached = self._closure([site])
        traced = frame.traced or site.kind == "transformed"
        if any(it.path == _DONATES for it in reached):
            self._change(given)
        found: Sites = set()
        for member in self._members({site}, "__call__"):
            found |= self._call(member, [("", {site}), *arguments], traced=traced)
        for it in reached:
            if it.kind == "function":
                found |= self._call(it, [("*", given | reached)], traced=traced)
            elif it.kind == "class":
                found |= self._instance(frame, (*place, id(it)), it, [("*", given)])
            elif it.kind == "external":
                found |= self._unknown((*place, id(it)), "calls an unknown library", given | {it})
            elif it.kind == "module":
                found |= self._library((*place, id(it)), it.path, [("*", given)], scoped=False)
        self._implicit(given)
        if site.kind == "transformed":
            callables = {it for it in given if it.kind in {"function", "class", "transformed"}}
            if callables:
                made = self._make(place, "transformed", {*_all(arguments), site})
                return found | made.contents | {made}
            return found | {self._make(place, "data")}
        direct = {it for it in _all(arguments) if it.kind in {"class", "function"}}
        return found | direct | {self._make(place, "data", _objects({*_all(arguments), site}))}

    def _call(self, site: Site, arguments: Arguments, *, traced: bool) -> Sites:
        """Call a function of the file with arguments at their places, where these are known."""
        frame = self._frames.get(site)
        if frame is None:
            assert site.facts is not None  # noqa: S101 - `_s_fn` has set it
            frame = self._frames[site] = Frame(site.facts, site.body, site.frame, site)
            frame.quiet = self._grew = True
        if traced and not frame.traced:
            frame.traced = self._grew = True
        if frame.quiet and not self._quiet:
            frame.quiet = False
            self._grew = True
        self._hand(frame, site, arguments)
        number = next((n for n, it in enumerate(frame.facts.bodies) if it is site.body), 0)
        returned = frame.variables.setdefault(f"return:{number}", set())
        if not site.body.generator:
            return set(returned)
        return {self._make((id(frame), id(site)), "iterator", {*returned, *_all(arguments), site})}

    def _hand(self, frame: Frame, site: Site, arguments: Arguments) -> None:
        names = [name.lstrip("*") for name in site.body.parameters]
        plain = [name for name in site.body.parameters if not name.startswith("*")]
        for name in names:
            self._grow(frame.variables.setdefault(name, set()), site.defaults)
        exact = all(not mark for mark, _ in arguments) and len(arguments) <= len(plain)
        if exact and len(plain) == len(names):
            for name, (_, sites) in zip(names, arguments, strict=False):
                self._grow(frame.variables[name], sites)
            return
        everything = _all(arguments)
        for name in names:
            self._grow(frame.variables[name], everything)

    def _call_all(self, sites: Iterable[Site], given: Sites, *, traced: bool = False) -> Sites:
        """Call the functions among these sites with anything. Returns what may come back."""
        found: Sites = set()
        for site in [*sites]:
            if site.kind == "function":
                found |= self._call(site, [("*", given)], traced=traced)
        return found

    def _members(self, sites: Iterable[Site], name: str) -> Sites:
        """The functions of a name in the classes of these sites."""
        kinds = {it for site in sites for it in ({site} if site.kind == "class" else site.classes)}
        found = {
            it
            for kind in self._closure(kinds)
            if kind.kind == "class"
            for it in kind.members.get(name, ())
        }
        return {it for it in self._closure(found) if it.kind == "function"} if found else found

    def _implicit(self, sites: Sites, attribute: str = "") -> None:
        """Call what Python may call without being told: special methods, and properties."""
        if not self._program.classes:
            return
        reached = self._closure(sites, classes=True)
        for site in [*reached]:
            if site.kind == "class":
                for name, members in [*site.members.items()]:
                    special = name.startswith("__") and name.endswith("__") and name not in _MAKING
                    if special or name in site.marked or name.startswith(_REGISTERED):
                        if attribute and name != attribute and not name.startswith("__get"):
                            continue
                        self._call_all(self._closure(members), self._closure(sites))

    def _instance(self, frame: Frame, place: Place, site: Site, arguments: Arguments) -> Sites:
        everything = _all(arguments)
        made = self._make(place, "data", everything)
        made.classes.add(site)
        for name in _MAKING:
            for member in self._members({site}, name):
                self._call(member, [("", {made}), *arguments], traced=frame.traced)
        for it in self._closure([site]):
            if it.kind == "external" or (it.kind == "module" and it in site.contents):
                kind: Kind = kind_of(it.path, scoped=False) if it.kind == "module" else "process"
                if kind in {"process", "opaque"}:
                    self._unknown(
                        (*place, id(it)), f"makes an object of {it.path}", everything | {made}
                    )
            elif it.kind == "data":
                self._call_all(self._closure([it]), everything)
        return {made}

    def _method(  # noqa: C901, PLR0911 - one for each kind of object
        self, frame: Frame, place: Place, site: Site, name: str, arguments: Arguments
    ) -> Sites:
        """Call a method of something that is not a module."""
        everything = _all(arguments)
        if site.kind == "external":
            return self._unknown(place, f"calls {name} of an unknown library", everything | {site})
        if site.kind == "array":
            self._change({site} if name == "delete" else ())
            return {self._make(place, "array")}
        members = self._members({site}, name)
        if members:
            found: Sites = set()
            for member in members:
                for given in ([("", {site}), *arguments], arguments):
                    found |= self._call(member, given, traced=frame.traced)
            return found | {self._make(place, "data", found)}
        self._implicit({site})
        reached = self._closure([site])
        passed = self._closure(everything)
        if name in COMPILING:
            self._call_all(reached, passed, traced=True)
            return {self._make(place, "transformed", everything | {site})}
        if name in READING:
            self._call_all(passed, reached)
            return {self._make(place, "data", _objects(everything) | {site})}
        if name in {"__enter__", "__exit__"} and site.kind != "iterator":
            self._call_all(reached, reached)
            return reached
        self._change({site})
        self._grow(site.contents, everything - {site})
        if site.kind == "numbers":
            self._change(passed)
            return {self._make(place, "data", everything)}
        if name not in STORING:
            self._change({it for it in reached if it.kind in {"iterator", "external"}})
            self._call_all(reached | passed, reached | passed)
        return _objects(reached | everything)

    # Libraries

    def _unknown(self, place: Place, reason: str, sites: Sites) -> Sites:
        self._process = self._process or self._said(f"changes the process: {reason}")
        reached = self._closure(sites, classes=True)
        self._change(reached)
        self._call_all(reached, reached)
        if any(it.kind in {"function", "class"} for it in reached):
            members = {it for site in reached for names in site.members.values() for it in names}
            self._program.handed |= self._closure(_objects(reached) | members)
        return {self._make(place, "external", reached)}

    def _library(self, place: Place, path: str, arguments: Arguments, *, scoped: bool) -> Sites:
        kind = kind_of(path, scoped=scoped)
        everything = _all(arguments)
        for mark, sites in arguments:
            if mark == "out=":
                self._change(self._closure(sites))
        if kind != "wraps":
            self._implicit(everything)
        if kind not in {"reads", "wraps", "transforms"} and self._program.registry:
            self._call_all(self._closure(self._program.registry), self._closure(everything))
        if kind not in {"reads", "wraps", "transforms"} and self._program.handed:
            quiet, self._quiet = self._quiet, True
            self._call_all(self._program.handed, self._program.handed)
            self._quiet = quiet
        handler = getattr(self, f"_l_{kind}")
        found: Sites = handler(place, path, arguments, everything)
        return found

    def _l_opaque(self, _key: Place, path: str, arguments: Arguments, everything: Sites) -> Sites:
        if not (path in {"builtins.vars", "builtins.dir"} and arguments):
            self._opaque = self._opaque or self._said(path.removeprefix("builtins."))
        return self._closure(everything)

    def _l_process(self, key: Place, path: str, _given: Arguments, everything: Sites) -> Sites:
        if configures(path):
            self._process = self._process or self._said(f"changes the process: {path}")
            reached = self._closure(everything, classes=True)
            shapes = "monitoring" not in path  # how JAX takes a value apart decides on results
            self._grow(self._program.registry if shapes else self._program.handed, reached)
            return everything | {self._make(key, "data", everything)}
        return self._unknown(key, path, everything)

    def _l_stream(self, key: Place, path: str, _given: Arguments, everything: Sites) -> Sites:
        module = path.rpartition(".")[0]
        self._streams.add(module)
        self._change({self._program.streams.setdefault(module, Site("numbers", module))})
        self._change(self._closure(everything))
        return {self._make(key, "data", everything)}

    def _l_numbers(self, key: Place, _path: str, _given: Arguments, everything: Sites) -> Sites:
        return {self._make(key, "numbers", everything)}

    def _l_fresh(self, key: Place, _path: str, _given: Arguments, everything: Sites) -> Sites:
        reached = self._closure(everything)
        if not any(it.kind in {"function", "transformed", "external"} for it in reached):
            return {self._make(key, "array")}
        self._call_all(reached, reached, traced=True)
        return {self._make(key, "transformed", everything)}

    def _l_transforms(self, key: Place, _path: str, given: Arguments, everything: Sites) -> Sites:
        made = self._make(key, "transformed", everything)
        made.path = _donation(given)
        return {made}

    def _l_data(self, key: Place, _path: str, _given: Arguments, everything: Sites) -> Sites:
        reached = self._closure(everything)
        found = self._call_all(reached, reached, traced=True)
        held = {it for it in everything if it.kind not in {"module", "function", "transformed"}}
        return found | {self._make(key, "data", held)}

    def _l_lazy(self, key: Place, _path: str, _given: Arguments, everything: Sites) -> Sites:
        return {self._make(key, "iterator", everything)}

    def _l_consumes(self, key: Place, path: str, _given: Arguments, everything: Sites) -> Sites:
        reached = self._consumed(everything)
        found = self._call_all(everything, reached)
        if path == "builtins.next":
            self._change(everything)
        if not reached and path.endswith(("sum", "max", "min", "any", "all")):
            return set()
        return reached | found | {self._make(key, "data", reached)}

    def _l_reads(self, _key: Place, path: str, arguments: Arguments, everything: Sites) -> Sites:
        if path == "builtins.getattr":
            if any(it.kind == "module" for it in arguments[0][1] if arguments):
                text = arguments[1][0] if len(arguments) > 1 else ""
                if not text.startswith("'"):
                    self._opaque = self._opaque or self._said(
                        "getattr of a module by a computed name"
                    )
                    return self._closure(everything)
            if len(arguments) > 1 and arguments[1][0].startswith("'"):
                return self._attribute(_key, everything, arguments[1][0][1:])
            self._call_all(self._closure(everything, classes=True), self._closure(everything))
            return self._closure(everything, classes=True)
        if path == "builtins.type":
            return self._closure(everything, classes=True)
        return set()

    def _l_changes(self, _key: Place, _path: str, _given: Arguments, everything: Sites) -> Sites:
        reached = self._closure(everything)
        self._change(reached)
        for site in [*everything]:
            if site.kind == "module":
                self._opaque = self._opaque or self._said(f"assignment in {site.path}")
            else:
                self._grow(site.contents, everything - {site})
        return reached | self._call_all(reached, reached)

    def _l_plain(self, key: Place, path: str, _given: Arguments, everything: Sites) -> Sites:
        reached = self._consumed(everything)
        traced = path.startswith("jax")
        found = self._call_all(reached, reached, traced=traced)
        array = path.startswith(_OF_ARRAYS) and not path.endswith(("iter", "enumerate"))
        calls = traced and any(it.kind in {"function", "transformed"} for it in reached)
        kind: SiteKind = "transformed" if calls else "data" if array else "iterator"
        if array and not calls:
            everything = {it for it in everything if it.kind != "function"}
        if path.startswith(_OF_ARRAYS):
            everything = _objects(everything)
        return found | {self._make(key, kind, everything)}

    def _l_wraps(self, key: Place, _path: str, given: Arguments, everything: Sites) -> Sites:
        direct = {it for it in everything if it.kind in {"function", "class"}}
        made = self._make(key, "data", everything)
        made.path = _donation(given)
        return direct | {made}


def _donation(arguments: Arguments) -> str:
    return _DONATES if any(mark.startswith("donate") for mark, _ in arguments) else ""


def _objects(sites: Iterable[Site]) -> Sites:
    """What can change, or hold what can: no modules, nor the types that are in them."""
    return {site for site in sites if site.kind != "module"}


def _all(arguments: Arguments) -> Sites:
    found: Sites = set()
    for _, sites in arguments:
        found |= sites
    return found


def _changes(sites: Iterable[Site]) -> int:
    """The units that have changed what can be reached through these sites, as bits."""
    bits = 0
    for site in closure(sites, classes=True):
        bits |= site.changed
    return bits
