"""Code that runs in other processes: standard library only, importing nothing else of cmdpack.

`__main__.py` is executed by path in a Python that need not have cmdpack installed, and may be newer
than the one that cmdpack runs under. It loads its siblings as a package of a private name, so that
nothing here can be mistaken for a module of the user's.
"""
