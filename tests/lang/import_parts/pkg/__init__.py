print('pkg init', __name__, __package__, __path__[0].endswith('import_parts/pkg'), __file__.endswith('pkg/__init__.py'))
from . import a
from .sub import deep
__all__ = ['a', 'b', 'x']
x = 1
