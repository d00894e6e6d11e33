print('a', __name__, __package__)
from . import b
from .b import val
from pkg.b import val as v2
